"""A submission that misbehaves is its team's failure, and nobody else's: its neighbours are scored.

What limits a job is proved where the job is (tests/integration/runner/test_job.py), what an archive may hold where
it is read (tests/unit/runner/stages/test_tar_reader.py); here it is what comes of both in an event.
"""

from __future__ import annotations

from tests.faults.conftest import Rehearse

FORKS_FOR_EVER = "setsid sleep 1000 & setsid sh -c 'sleep 1000 & wait' & while :; do sleep 0.1; done\n"
LINKS = "mkdir training_output && ln -s /etc/shadow training_output/stolen && exit 0\n"
SPARSE = "mkdir training_output && truncate -s 10G training_output/y_pred_train.npz && exit 0\n"
NO_NUMBER = "trap 'sed -i s/0.9,/nan,/ training_output/fold_0/scores.csv' EXIT\n"
ONE_FOLD = "trap 'rm -r training_output/fold_1' EXIT\n"


def test_whatever_a_submission_does_to_its_host_or_its_results_it_fails_alone_and_leaves_no_process(
    rehearse: Rehearse,
) -> None:
    event = rehearse(n_workers=3, timeout_s=3)
    hostile = {"forks": FORKS_FOR_EVER, "links": LINKS, "sparse": SPARSE, "nan": NO_NUMBER, "one_fold": ONE_FOLD}
    for name, code in hostile.items():
        event.submit(name, code=code)
    event.submit("honest")
    event.dispatcher().await_end()
    ends = event.rows(
        "SELECT name, state, cause, blame FROM submissions JOIN rampart_runs ON submission_id = submissions.id"
    )
    assert sorted(ends, key=str) == [
        ("forks", "training_error", "timeout", "participant"),
        ("honest", "scored", None, None),
        ("links", "training_error", "transfer-refused", "participant"),
        ("nan", "training_error", "bad-output", "participant"),
        ("one_fold", "training_error", "bad-output", "participant"),
        ("sparse", "training_error", "transfer-refused", "participant"),
    ]
    assert not list(event.folder.rglob("stolen"))
