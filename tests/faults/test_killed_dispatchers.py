"""A dispatcher that is killed is replaced by one that goes on where it was: nothing is run twice, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.faults.conftest import Rehearse
from tests.faults.dispatchers import DispatcherProcess
from tests.faults.jobs import STAND_IN
from tests.faults.rehearsal import Rehearsal


def until_adopted_by(event: Rehearsal, dispatcher: DispatcherProcess, count: int = 1) -> None:
    """Wait until so many runs are a dispatcher's."""
    query = "SELECT 1 FROM rampart_runs WHERE lease_owner LIKE :owner AND lease_expires_at IS NOT NULL"
    owner = f"%:{dispatcher.process.pid}:%"
    event.until(f"{count} runs are adopted", lambda: len(event.rows(query, owner=owner)) >= count)


def test_a_job_goes_on_when_its_dispatcher_is_killed_and_is_recorded_once_by_the_next(rehearse: Rehearse) -> None:
    event = rehearse()
    (one,) = event.submit("one", code=STAND_IN.waits)
    first = event.dispatcher()
    event.until_training()
    first.kill()
    second = event.dispatcher()
    until_adopted_by(event, second)
    event.let_go_on()
    said = second.await_end()
    assert "scored=1, failed=0, requeued=0, unexpected=0" in said, said
    assert event.rows("SELECT attempt, stage, lease_expires_at FROM rampart_runs") == [(1, "scored", None)]
    assert event.trainings() == {f"submission_{one:09d}": 1}
    assert event.states() == {"one": "scored"}
    assert list(event.event.state_dir.rglob("here-1-1")) == []


def test_two_dispatchers_of_one_event_run_nothing_twice_even_if_one_is_killed(rehearse: Rehearse) -> None:
    event = rehearse()
    ids = event.submit("one", "two", "three", "four", code=STAND_IN.waits)
    first, second = event.dispatcher(), event.dispatcher()
    event.until_training(4)
    owners = event.rows("SELECT DISTINCT lease_owner FROM rampart_runs")
    assert {int(str(owner).split(":")[1]) for (owner,) in owners} == {first.process.pid, second.process.pid}
    first.kill()
    event.let_go_on()
    said = second.await_end()
    assert "scored=4, failed=0, requeued=0, unexpected=0" in said, said
    assert event.trainings() == {f"submission_{one:09d}": 1 for one in ids}
    assert event.runs() == [(1, "scored")] * 4


def test_a_run_whose_job_was_lost_is_run_again_and_three_losses_are_the_platforms_fault(rehearse: Rehearse) -> None:
    event = rehearse()
    event.submit("one", code=STAND_IN.waits)
    for attempt in (1, 2, 3):
        running = event.dispatcher()
        event.until_training(attempt=attempt)
        running.kill()
        (job,) = event.event.state_dir.rglob(f"here-1-{attempt}")
        os.kill(int((Path(job) / "supervisor").read_text()), signal.SIGKILL)
    event.dispatcher().await_end()
    assert event.attempts() == [
        (1, "requeued", "host-lost"),
        (2, "requeued", "host-lost"),
        (3, "failed", "host-lost"),
    ]
    assert event.states() == {"one": "checking_error"}
    (fields,) = event.rows("SELECT journal FROM rampart_runs WHERE attempt = 3")
    assert json.loads(str(fields[0]))["kind"] == "Launched"
