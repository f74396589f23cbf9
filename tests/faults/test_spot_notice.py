"""A spot instance is taken back with notice: what its run has finished is not run again."""

from __future__ import annotations

from tests.faults import jobs
from tests.faults.conftest import Rehearse

WAITS_IN_ITS_SECOND_FOLD = """import pathlib
import time

from sklearn.dummy import DummyClassifier

with pathlib.Path("trainings").open("a") as trainings:  # ramp-test runs in the kit's folder
    trainings.write("fold\\n")


def get_estimator():
    while pathlib.Path("trainings").read_text() == "fold\\n" * 2:
        time.sleep(0.05)
    return DummyClassifier(strategy="prior")
"""


def test_on_a_spot_notice_finished_folds_come_home_and_the_next_run_trains_only_the_others(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(jobs.iris(), spot=True)
    assert event.hosts is not None
    (submission_id,) = event.submit("one", code=WAITS_IN_ITS_SECOND_FOLD)
    dispatcher = event.dispatcher()
    event.until_training()
    event.until("its second fold is begun", lambda: event.trainings()["fold"] == 2)
    (first,) = event.hosts.live()
    event.hosts.cloud.local.spot_notice(first)
    dispatcher.await_end()
    assert event.attempts() == [(1, "requeued", "spot-reclaimed"), (2, "scored", None)]
    assert event.log_of(submission_id).count("finished by an earlier run") == 1
