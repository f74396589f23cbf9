"""A submission that misbehaves is its team's failure, and nobody else's: its neighbours are scored.

What limits a job is proved where the job is (tests/integration/runner/test_job.py), what an archive may hold where
it is read (tests/unit/runner/stages/test_tar_reader.py); here it is what comes of both in an event.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from localcloud.machines import Level
from tests.faults.conftest import Rehearse
from tests.faults.rehearsal import Rehearsal

FORKS_FOR_EVER = "setsid sleep 1000 & setsid sh -c 'sleep 1000 & wait' & while :; do sleep 0.1; done\n"
LINKS = "mkdir training_output && ln -s /etc/shadow training_output/stolen && exit 0\n"
SPARSE = "mkdir training_output && truncate -s 6G training_output/y_pred_train.npz && exit 0\n"
NO_NUMBER = "trap 'sed -i s/0.9,/nan,/ training_output/fold_0/scores.csv' EXIT\n"
ONE_FOLD = "trap 'rm -r training_output/fold_1' EXIT\n"
# it is scored behind walls alone; without them the exit code tells which one is missing
LOOKS_FOR_WALLS = """
(: >"$kit/planted") 2>/dev/null && exit 3
(: >../../planted) 2>/dev/null && exit 4
[ "$(grep -c : /proc/net/dev)" = 1 ] || exit 5
"""
_BY_ROOT = {"systemd", "namespaces"}


def test_whatever_a_submission_does_to_its_host_or_its_results_it_fails_alone_and_leaves_no_process(
    rehearse: Rehearse,
) -> None:
    event = rehearse(n_workers=3, timeout_s=3)
    hostile = {"forks": FORKS_FOR_EVER, "links": LINKS, "sparse": SPARSE, "nan": NO_NUMBER, "one_fold": ONE_FOLD}
    for name, code in hostile.items():
        event.submit(name, code=code)
    event.submit("honest")
    event.dispatcher(walls=True).await_end()
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


def test_a_job_on_this_machine_runs_behind_the_walls_that_its_dispatchers_rights_can_build(rehearse: Rehearse) -> None:
    is_root = os.geteuid() == 0
    tool = shutil.which("unshare")
    own = [] if is_root else ["--user", "--map-root-user"]
    if tool is None or subprocess.run([tool, *own, "--mount", "--net", "true"], check=False).returncode != 0:
        pytest.skip("this machine gives nobody namespaces")
    event = rehearse(n_workers=1)
    event.submit("one", code=LOOKS_FOR_WALLS)
    assert containment_of(event) in (_BY_ROOT if is_root else {"user-namespace"})


def test_a_job_on_an_instance_runs_behind_the_walls_that_its_login_users_rights_can_build(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=1)
    assert event.hosts is not None
    event.submit("one", code=LOOKS_FOR_WALLS)
    is_full = event.hosts.cloud.local.level == Level.FULL
    assert containment_of(event) in (_BY_ROOT if is_full else {"user-namespace"})


def containment_of(event: Rehearsal) -> str:
    """Run the one submission to its scores; gives what the run's row says of its walls."""
    said = event.dispatcher(walls=True).await_end()
    ((stage, containment),) = event.rows("SELECT stage, containment FROM rampart_runs")
    assert stage == "scored", said
    return str(containment)
