"""A host that fails costs its run an attempt; one that is only silent costs it nothing."""

from __future__ import annotations

from localcloud.injections import Partition
from tests.faults.conftest import Rehearse
from tests.faults.jobs import STAND_IN


def test_a_host_that_ends_without_notice_is_missed_and_its_submission_is_run_once_more_on_another(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=1)
    event.submit("one", code=STAND_IN.waits)
    dispatcher = event.dispatcher()
    event.until_training()
    assert event.hosts is not None
    (lost,) = event.hosts.live()
    event.hosts.lose(lost)
    event.until_training(attempt=2)
    event.await_end(dispatcher)
    assert event.rows("SELECT attempt, stage, cause, host_id = :lost FROM rampart_runs ORDER BY 1", lost=lost) == [
        (1, "requeued", "host-lost", 1),
        (2, "scored", None, 0),
    ]
    assert len(event.hosts.every()) == 2


def test_a_host_that_is_cut_off_for_a_while_goes_on_with_its_run_whose_result_is_fetched_afterwards(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=1)
    event.submit("one", code=STAND_IN.waits)
    dispatcher = event.dispatcher()
    event.until_training()
    assert event.hosts is not None
    (host,) = event.hosts.live()
    cut = event.hosts.cloud.local.inject(Partition(host))
    event.until("the silence is noticed", lambda: "reconnecting" in dispatcher.said)
    event.let_go_on()
    event.hosts.cloud.local.undo(cut)
    dispatcher.await_end()
    assert event.runs() == [(1, "scored")]
    assert len(event.hosts.every()) == 1
