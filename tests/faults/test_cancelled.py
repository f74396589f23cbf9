"""What the organiser cancels ends at once, with every process it has and with its host."""

from __future__ import annotations

from typing import Any

from runner import app
from runner.store.wishes import Cancelled
from tests.faults.conftest import Rehearse
from tests.faults.jobs import STAND_IN
from tests.faults.rehearsal import Rehearsal
from tests.faults.troubles import Trouble

_FAMILY = f'sleep 600 & (trap "" TERM; sleep 600) & {STAND_IN.waits}'
_ONCE_A_MINUTE: dict[str, Any] = {
    "lease_s": 300.0,
    "lease_renewal_s": 60.0,
}  # nobody learns of the wish by renewing leases


def cancel(event: Rehearsal, *names: str) -> None:
    """Do what `invoke cancel` does."""
    wishes = app.open_wishes(event.event)
    assert {wishes.cancel(event.event.name, "blue", name) for name in names} == {Cancelled.ASKED}


def told(event: Rehearsal) -> list[tuple[object, ...]]:
    """What the teams are told, and what is kept for the organiser."""
    query = (
        "SELECT s.name, s.state, s.error_msg, r.cause FROM submissions s JOIN rampart_runs r ON r.submission_id = s.id"
    )
    return event.rows(f"{query} ORDER BY s.id, r.attempt")


def test_a_job_on_this_machine_is_killed_with_all_its_processes_and_the_others_go_on(rehearse: Rehearse) -> None:
    event = rehearse()
    event.submit("family", code=_FAMILY)
    event.submit("other", code=STAND_IN.waits)
    dispatcher = event.dispatcher(**_ONCE_A_MINUTE)
    event.until_training(2)
    cancel(event, "family")
    event.until("it is cancelled", lambda: event.states()["family"] == "checking_error")
    event.let_go_on()
    said = dispatcher.await_end()
    assert "scored=1, failed=1, requeued=0, unexpected=0" in said, said
    assert told(event) == [
        ("family", "checking_error", "cancelled by the organiser", "cancelled"),
        ("other", "scored", "", None),
    ]


def test_a_job_on_an_instance_is_cancelled_with_its_instance(rehearse_on_cloud: Rehearse) -> None:
    event = rehearse_on_cloud()
    event.submit("one", code=_FAMILY)
    dispatcher = event.dispatcher(**_ONCE_A_MINUTE)
    event.until_training()
    cancel(event, "one")
    dispatcher.await_end()
    assert told(event) == [("one", "checking_error", "cancelled by the organiser", "cancelled")]
    assert len(event.hosts.every() if event.hosts else []) == 1


def test_a_run_is_cancelled_while_its_host_boots_which_is_ended(rehearse_on_cloud: Rehearse) -> None:
    event = rehearse_on_cloud()
    assert event.hosts is not None
    hosts = event.hosts
    event.submit("one")
    dispatcher = event.dispatcher(Trouble.NO_HOST_ANSWERS, **_ONCE_A_MINUTE)
    event.until("EC2 has launched", hosts.every)
    cancel(event, "one")
    dispatcher.await_end()
    assert told(event) == [("one", "checking_error", "cancelled by the organiser", "cancelled")]
    assert len(hosts.every()) == 1
