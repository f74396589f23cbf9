"""A spot instance is taken back with notice: what its run has finished is not run again."""

from __future__ import annotations

import subprocess

from localcloud.machines import Machine
from tests.faults import jobs
from tests.faults.conftest import Rehearse

WAITS_IN_ITS_SECOND_FOLD = """import pathlib
import time

from sklearn.dummy import DummyClassifier


def get_estimator():
    begun = pathlib.Path(__file__).with_name("begun")
    with begun.open("a") as file:
        file.write("x")
    while begun.read_text() == "xx":
        time.sleep(0.05)
    return DummyClassifier(strategy="prior")
"""


def begun_on(machine: Machine) -> str:
    """What the job on an emulated machine has noted beside its submission, a letter for each fold."""
    asked = machine.spawn(["sh", "-c", "cat /home/*/.rampart/jobs/*/submissions/*/begun 2>/dev/null"], user="root")
    return subprocess.run(asked.argv, env=asked.env, cwd=asked.cwd, capture_output=True, text=True, check=False).stdout


def test_on_a_spot_notice_finished_folds_come_home_and_the_next_run_trains_only_the_others(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(jobs.iris(), spot=True)
    assert event.hosts is not None
    (submission_id,) = event.submit("one", code=WAITS_IN_ITS_SECOND_FOLD)
    dispatcher = event.dispatcher(walls=True)
    event.until_training()
    cloud = event.hosts.cloud.local
    (first,) = event.hosts.live()
    event.until("its second fold is begun", lambda: begun_on(cloud.machine(first)) == "xx")
    cloud.spot_notice(first)
    dispatcher.await_end()
    assert event.attempts() == [(1, "requeued", "spot-reclaimed"), (2, "scored", None)]
    assert event.log_of(submission_id).count("finished by an earlier run") == 1
