"""The dispatcher takes what the event allows at a time, and stops when it is asked to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from contracts.errors import (
    CapacityMissing,
    CloudError,
    HostGone,
    KitInvalid,
    LeaseLost,
    StoreRefuses,
    StoreUnavailable,
)
from contracts.event import HungerPolicy
from contracts.work import (
    Adopted,
    Blame,
    Cause,
    Claimed,
    Failed,
    HostAddress,
    HostLayout,
    Provisioned,
)
from runner.carrying.patience import Patience
from runner.dispatcher import Dispatcher, Pace, Summary
from runner.interruption import Interrupted, Interruption, Wish
from runner.ports import Sweep
from runner.progress import Progress, RunEnded
from tests.unit.runner.doubles import NOW, NoHosts, Queue, claimed


def dispatcher(
    queue: Queue,
    hosts: NoHosts,
    *,
    n_workers: int = 2,
    policy: HungerPolicy = HungerPolicy.EXIT,
    interruption: Interruption | None = None,
    seen: list[Progress] | None = None,
    sweep: Sweep | None = None,
    limit: Callable[[], int | None] = lambda: None,
    is_closed: Callable[[], bool] = lambda: False,
) -> Dispatcher:
    watch: list[Progress] = [] if seen is None else seen
    return Dispatcher(
        "iris",
        pace=Pace(
            n_workers=n_workers,
            hunger_policy=policy,
            time_between_collection_s=0.01,
            lease_renewal_s=0.02,
            cancel_look_s=0.01,
            sweep_s=0.02,
        ),
        sweep=sweep,
        limit=limit,
        is_closed=is_closed,
        store=queue,
        hosts=hosts,
        interruption=interruption or Interruption(),
        now=lambda: NOW,
        observe=watch.append,
        patience=Patience(first_pause_s=0.001, longest_pause_s=0.01),
    )


def test_with_hunger_policy_exit_every_waiting_submission_is_run_before_the_end() -> None:
    queue = Queue(waiting=7)
    summary = dispatcher(queue, NoHosts()).serve()
    assert summary.failed == 7
    assert [failed.work.submission_id for failed in sorted(queue.failed, key=lambda f: f.work.submission_id)] == list(
        range(1, 8)
    )


def test_an_event_that_closed_ends_when_all_that_was_submitted_in_time_has_run() -> None:
    closed = iter([False, False])  # asked only when nothing is left to do
    queue = Queue(waiting=3)
    made = dispatcher(queue, NoHosts(), policy=HungerPolicy.NONE, is_closed=lambda: next(closed, True))
    assert made.serve().failed == 3
    assert next(closed, True)


def test_no_more_than_n_workers_run_at_a_time() -> None:
    both_inside = threading.Barrier(2)

    def wait_for_the_other() -> None:
        both_inside.wait(timeout=5)

    hosts = NoHosts(hold=wait_for_the_other)
    dispatcher(Queue(waiting=6), hosts).serve()
    assert hosts.most_inside == 2


@pytest.mark.parametrize(("losses", "requeued", "failed"), [(0, 1, 0), (1, 1, 0), (2, 0, 1)])
def test_a_launch_that_is_refused_is_the_platforms_fault_and_tried_three_times(
    losses: int, requeued: int, failed: int
) -> None:
    queue = Queue(waiting=1)
    queue.lost = {Cause.BOOT_TIMEOUT: losses}
    summary = dispatcher(queue, NoHosts(error=CloudError("down", code="InternalError"))).serve()
    assert (summary.requeued, summary.failed) == (requeued, failed)
    assert queue.requeued == [(1, "down", Cause.LAUNCH_REFUSED)] * requeued
    assert [(one.blame, one.cause) for one in queue.failed] == [(Blame.PLATFORM, Cause.LAUNCH_REFUSED)] * failed


def test_waiting_for_capacity_uses_up_no_attempt() -> None:
    queue = Queue(waiting=1)
    queue.lost = {Cause.HOST_LOST: 2}
    dispatcher(queue, NoHosts(error=CapacityMissing("no t3.medium anywhere", retry_after_s=30))).serve()
    assert queue.requeued == [(1, "no t3.medium anywhere", None)]


def test_an_error_of_our_own_ends_the_run_and_not_the_dispatcher() -> None:
    queue = Queue(waiting=2)
    queue.lost = {Cause.INTERNAL: 2}
    summary = dispatcher(queue, NoHosts(error=ZeroDivisionError("division by zero"))).serve()
    assert summary.failed == 2
    assert queue.failed[0].cause is Cause.INTERNAL
    assert "ZeroDivisionError" in queue.failed[0].message


def test_a_run_whose_result_cannot_be_recorded_is_counted_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = Queue(waiting=3)
    recorded: list[Failed] = []

    def refuse_the_first(failed: Failed) -> None:
        if failed.work.submission_id == 1:
            raise RuntimeError("a bug in the store")
        recorded.append(failed)

    queue.record = refuse_the_first
    queue.lost = {Cause.INTERNAL: 2}
    summary = dispatcher(queue, NoHosts()).serve()
    assert (summary.failed, summary.unexpected) == (2, 1)
    assert "a bug in the store" in caplog.text


def test_leases_are_renewed_together_while_runs_go_on() -> None:
    queue = Queue(waiting=2)
    dispatcher(queue, NoHosts(hold=lambda: until_both_were_renewed(queue))).serve()
    assert {"token-1", "token-2"} in queue.renewed


def until_both_were_renewed(queue: Queue) -> None:
    for _ in range(500):
        if {"token-1", "token-2"} in queue.renewed:
            return
        queue.was_renewed.wait(0.01)


def test_orphans_are_taken_up_before_new_submissions() -> None:
    queue = Queue(waiting=1)
    queue.orphans = [Adopted(claimed(9))]
    dispatcher(queue, NoHosts(), n_workers=1).serve()
    assert [failed.work.submission_id for failed in queue.failed] == [9, 1]


@pytest.mark.parametrize(("losses", "requeued", "failed"), [(0, 1, 0), (1, 1, 0), (2, 0, 1)])
def test_an_adopted_run_whose_host_is_gone_is_queued_again_until_its_third_loss(
    losses: int, requeued: int, failed: int
) -> None:
    queue = Queue(waiting=0)
    queue.orphans = [Adopted(claimed(1))]
    queue.lost = {Cause.HOST_LOST: losses}
    summary = dispatcher(queue, NoHosts(error=HostGone("the instance has ended"))).serve()
    assert (summary.requeued, summary.failed) == (requeued, failed)
    assert queue.let_go == [1]


def test_of_a_run_that_has_ended_only_the_host_is_given_back() -> None:
    queue = Queue(waiting=0)
    layout = HostLayout("/k", "/k", "/python", "/ramp-test")
    queue.orphans = [
        Adopted(Provisioned(claimed(1), HostAddress("i-1", "127.9.9.9", "ubuntu"), layout), has_ended=True)
    ]
    hosts = NoHosts()
    assert dispatcher(queue, hosts).serve() == Summary()
    assert hosts.released == ["i-1"]
    assert set(queue.let_go) == {1}


def test_a_run_that_somebody_else_has_adopted_is_dropped_with_its_host_left_to_them() -> None:
    queue = Queue(waiting=0)
    layout = HostLayout("/k", "/k", "/python", "/ramp-test")
    queue.orphans = [Adopted(Provisioned(claimed(1), HostAddress("i-1", "127.9.9.9", "ubuntu"), layout))]

    def too_late(failed: Failed) -> None:
        raise LeaseLost("adopted by another")

    queue.record = too_late
    hosts = NoHosts()
    hosts.connect_error = KitInvalid("no problem.py")
    summary = dispatcher(queue, hosts).serve()
    assert (summary.dropped, summary.unexpected) == (1, 0)
    assert (hosts.released, queue.let_go) == ([], [])


def test_a_dispatcher_does_not_leave_while_a_submission_waits_for_its_time() -> None:
    queue = Queue(waiting=0)
    answers = [True, True, False]
    queue.is_held = lambda: answers.pop(0)
    dispatcher(queue, NoHosts()).serve()
    assert answers == []


def test_the_summary_says_why_a_paused_event_is_left(caplog: pytest.LogCaptureFixture) -> None:
    queue = Queue(waiting=0)
    queue.pause_reason = "the kit fails"
    assert dispatcher(queue, NoHosts()).serve() == Summary(paused="the kit fails")
    assert "event iris is paused: the kit fails" in caplog.text


def test_a_database_that_goes_away_is_waited_for_and_nothing_is_lost_meanwhile(
    caplog: pytest.LogCaptureFixture,
) -> None:
    queue = Queue(waiting=1)
    answers: list[Exception | None] = [None, StoreUnavailable("gone"), StoreUnavailable("gone"), None]
    refusals = [StoreUnavailable("gone"), StoreUnavailable("gone")]

    def still_held() -> bool:
        answer = answers.pop(0) if answers else None
        if answer is not None:
            raise answer
        return bool(answers)

    def record(failed: Failed) -> None:
        if refusals:
            raise refusals.pop()
        queue.failed.append(failed)

    queue.is_held, queue.record = still_held, record
    assert dispatcher(queue, NoHosts()).serve() == Summary(failed=1)
    assert len(queue.failed) == 1
    assert "is written down: the database was away" in caplog.text
    assert "the database answers again" in caplog.text


def test_what_the_database_refuses_is_not_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    queue, asked = Queue(waiting=1), list[Failed]()

    def refuse(failed: Failed) -> None:
        asked.append(failed)
        raise StoreRefuses("value too long")

    queue.record = refuse
    assert dispatcher(queue, NoHosts()).serve() == Summary(unexpected=1)
    assert len(asked) == 1
    assert "value too long" in caplog.text


def test_a_database_that_never_answered_is_told_at_once() -> None:
    queue = Queue(waiting=0)

    def refuse() -> bool:
        raise StoreUnavailable("RAMP's tables are not there")

    queue.is_held = refuse
    with pytest.raises(StoreUnavailable, match="RAMP's tables"):
        dispatcher(queue, NoHosts()).serve()


def test_a_result_is_left_to_the_journal_when_the_dispatcher_stops_before_the_database_answers() -> None:
    queue, interruption, tried = Queue(waiting=1), Interruption(), threading.Event()

    def refuse(failed: Failed) -> None:
        tried.set()
        raise StoreUnavailable("gone")

    queue.record = refuse
    summaries: list[Summary] = []
    made = dispatcher(queue, NoHosts(), interruption=interruption)
    serving = threading.Thread(target=lambda: summaries.append(made.serve()))
    serving.start()
    assert tried.wait(5)
    interruption.ask(Wish.HAND_BACK)
    serving.join(5)
    assert summaries == [Summary(handed_back=1)]


def test_a_dispatcher_does_not_leave_while_runs_of_another_may_come_to_it() -> None:
    queue = Queue(waiting=0)
    answers = [True, True, False]
    queue.elsewhere = lambda: answers.pop(0)
    dispatcher(queue, NoHosts()).serve()
    assert answers == []


def test_a_result_that_cannot_be_recorded_is_told_while_the_loop_goes_on() -> None:
    queue, interruption, told = Queue(waiting=1), Interruption(), threading.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "could not be recorded" in record.getMessage():
                told.set()

    def refuse(failed: Failed) -> None:
        raise RuntimeError("a bug in the store")

    queue.record = refuse
    queue.lost = {Cause.INTERNAL: 2}
    listener = Listener()
    logging.getLogger("runner.dispatcher").addHandler(listener)
    serving = threading.Thread(
        target=dispatcher(queue, NoHosts(), policy=HungerPolicy.SLEEP, interruption=interruption).serve
    )
    serving.start()
    try:
        assert told.wait(5)
        assert serving.is_alive()
    finally:
        logging.getLogger("runner.dispatcher").removeHandler(listener)
        interruption.ask()
        serving.join(5)


def test_asking_to_stop_ends_a_dispatcher_that_waits_for_work() -> None:
    queue, interruption = Queue(waiting=0), Interruption()
    serving = threading.Thread(
        target=dispatcher(queue, NoHosts(), policy=HungerPolicy.SLEEP, interruption=interruption).serve
    )
    serving.start()
    assert queue.asked.wait(5)
    interruption.ask()
    serving.join(5)
    assert not serving.is_alive()


def test_a_run_that_is_interrupted_goes_back_to_the_queue() -> None:
    queue, interruption, inside = Queue(waiting=1), Interruption(), threading.Event()
    seen: list[Progress] = []

    def wait_for_the_end() -> None:
        inside.set()
        interruption.sleep(10)

    made = dispatcher(queue, NoHosts(hold=wait_for_the_end), interruption=interruption, seen=seen)
    serving = threading.Thread(target=made.serve)
    serving.start()
    assert inside.wait(5)
    interruption.ask()
    serving.join(5)
    assert queue.requeued == [(1, "the dispatcher was stopped", None)]
    assert queue.failed == []
    assert [one.outcome for one in seen if isinstance(one, RunEnded)] == [None]


@contextmanager
def one_run_inside(queue: Queue, interruption: Interruption, seen: list[Progress]) -> Iterator[list[Summary]]:
    """A dispatcher whose one run waits inside; left when the dispatcher has ended."""
    inside, summaries = threading.Event(), list[Summary]()

    def wait_for_the_end() -> None:
        inside.set()
        interruption.sleep(10)

    made = dispatcher(queue, NoHosts(hold=wait_for_the_end), interruption=interruption, seen=seen)
    serving = threading.Thread(target=lambda: summaries.append(made.serve()))
    serving.start()
    try:
        assert inside.wait(5)
        yield summaries
    finally:
        interruption.ask()
        serving.join(5)
    assert not serving.is_alive()


def test_a_run_that_is_handed_back_is_left_as_it_is_for_whoever_adopts_it() -> None:
    queue, interruption = Queue(waiting=1), Interruption()
    seen: list[Progress] = []
    with one_run_inside(queue, interruption, seen) as summaries:
        interruption.ask(Wish.HAND_BACK)
    assert summaries == [Summary(handed_back=1)]
    assert queue.handed_back == {"token-1"}
    assert (queue.requeued, queue.failed, queue.let_go) == ([], [], [])
    assert not [one for one in seen if isinstance(one, RunEnded)]


class Booting(NoHosts):
    """A host pool whose host takes its time, until the run is asked to end."""

    def acquire(self, claimed: Claimed, interruption: Interruption | None = None) -> Provisioned:
        assert interruption is not None
        interruption.sleep(5)
        raise AssertionError("nobody asked it to stop")


def test_a_run_that_the_organiser_wants_ended_is_cancelled_while_its_host_boots_and_not_queued_again() -> None:
    queue = Queue(waiting=1)
    queue.to_be_cancelled = {"token-1"}
    assert dispatcher(queue, Booting()).serve() == Summary(failed=1)
    assert [(one.cause, one.message) for one in queue.failed] == [(Cause.CANCELLED, "cancelled by the organiser")]
    assert queue.requeued == []


def test_no_more_runs_than_the_account_allows_hosts_go_on_at_a_time_and_one_may_always_be_tried() -> None:
    hosts, queue, limits = NoHosts(), Queue(waiting=6), [0, 1]
    made = dispatcher(queue, hosts, n_workers=4, limit=lambda: limits[len(queue.failed) % 2])
    assert made.serve() == Summary(failed=6)
    assert hosts.most_inside == 1


def test_the_account_is_kept_clean_while_runs_go_on() -> None:
    swept, queue = threading.Event(), Queue(waiting=1)

    class Broom:
        def sweep(self) -> None:
            swept.set()

    hosts = NoHosts(hold=lambda: assert_is_set(swept))
    assert dispatcher(queue, hosts, sweep=Broom()).serve() == Summary(failed=1)


def assert_is_set(event: threading.Event) -> None:
    assert event.wait(5)


def test_a_sleep_after_the_interruption_ends_at_once() -> None:
    interruption = Interruption()
    interruption.ask()
    with pytest.raises(Interrupted):
        interruption.sleep(60)


def test_what_is_registered_after_the_interruption_is_closed_at_once() -> None:
    interruption, closed = Interruption(), threading.Event()
    interruption.ask()
    interruption.on_ask(closed.set)
    assert closed.is_set()
