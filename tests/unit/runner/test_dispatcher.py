"""The dispatcher takes what the event allows at a time, and stops when it is asked to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.errors import CloudError, StoreUnavailable
from contracts.event import HungerPolicy
from contracts.work import Adopted, Blame, Cause, Claimed, Failed, Launched, Provisioned, Scored, StageValue, Work
from runner.dispatcher import Dispatcher, Pace
from runner.interruption import Interrupted, Interruption
from runner.ports import Transport
from runner.progress import Progress, RunEnded, Stage

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def claimed(submission_id: int) -> Claimed:
    here = Path("/nowhere")
    work = Work(submission_id, "iris", "team", f"s{submission_id}", 1, here, here, here, 60.0)
    return Claimed(work=work, claimed_at=NOW)


class Queue:
    """A store that keeps what the dispatcher told it."""

    def __init__(self, waiting: int) -> None:
        self.waiting = [claimed(number) for number in range(1, waiting + 1)]
        self.failed: list[Failed] = []
        self.requeued: list[Claimed] = []
        self.orphans: list[Adopted] = []
        self.renewed: list[set[str]] = []
        self.was_renewed = threading.Event()
        self.let_go: list[int] = []
        self.asked = threading.Event()
        self.record: Callable[[Failed], None] = self.failed.append

    def claim(self, event: str, limit: int) -> list[Claimed]:
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        self.asked.set()
        return taken

    def renew(self, lease_tokens: Collection[str]) -> None:
        self.renewed.append(set(lease_tokens))
        self.was_renewed.set()

    def adopt(self, event: str, limit: int) -> list[Adopted]:
        taken, self.orphans = self.orphans[:limit], self.orphans[limit:]
        return taken

    def held_elsewhere(self, event: str, lease_tokens: Collection[str]) -> bool:
        return False

    def stage_started(self, work: Work, stage: Stage, host_id: str = "", *, after: StageValue | None = None) -> None:
        pass

    def released(self, work: Work) -> None:
        self.let_go.append(work.submission_id)

    def training_started(self, launched: Launched) -> None:
        raise AssertionError("nothing gets that far here")

    def record_scored(self, scored: Scored) -> None:
        raise AssertionError("nothing gets that far here")

    def record_failed(self, failed: Failed) -> None:
        self.record(failed)

    def requeue(self, claimed: Claimed, reason: str, cause: Cause | None = None) -> None:
        self.requeued.append(claimed)


class NoHosts:
    """A host pool that refuses every launch, after as long as `hold` says."""

    def __init__(self, hold: Callable[[], None] = lambda: None, error: Exception | None = None) -> None:
        self._hold = hold
        self._error = error or CloudError("no capacity", code="InsufficientInstanceCapacity")
        self._lock = threading.Lock()
        self.now_inside = 0
        self.most_inside = 0

    def acquire(self, claimed: Claimed) -> Provisioned:
        with self._lock:
            self.now_inside += 1
            self.most_inside = max(self.most_inside, self.now_inside)
        try:
            self._hold()
        finally:
            with self._lock:
                self.now_inside -= 1
        raise self._error

    def connect(self, provisioned: Provisioned) -> Transport:
        raise AssertionError("nothing gets that far here")

    def is_gone(self, provisioned: Provisioned) -> bool:
        return True

    def release(self, provisioned: Provisioned) -> None:
        raise AssertionError("nothing gets that far here")


def dispatcher(
    queue: Queue,
    hosts: NoHosts,
    *,
    n_workers: int = 2,
    policy: HungerPolicy = HungerPolicy.EXIT,
    interruption: Interruption | None = None,
    seen: list[Progress] | None = None,
) -> Dispatcher:
    watch: list[Progress] = [] if seen is None else seen
    return Dispatcher(
        "iris",
        pace=Pace(n_workers=n_workers, hunger_policy=policy, time_between_collection_s=0.01),
        store=queue,
        hosts=hosts,
        interruption=interruption or Interruption(),
        now=lambda: NOW,
        observe=watch.append,
    )


def test_with_hunger_policy_exit_every_waiting_submission_is_run_before_the_end() -> None:
    queue = Queue(waiting=7)
    summary = dispatcher(queue, NoHosts()).serve()
    assert summary.failed == 7
    assert [failed.work.submission_id for failed in sorted(queue.failed, key=lambda f: f.work.submission_id)] == list(
        range(1, 8)
    )


def test_no_more_than_n_workers_run_at_a_time() -> None:
    both_inside = threading.Barrier(2)

    def wait_for_the_other() -> None:
        both_inside.wait(timeout=5)

    hosts = NoHosts(hold=wait_for_the_other)
    dispatcher(Queue(waiting=6), hosts).serve()
    assert hosts.most_inside == 2


def test_a_launch_that_is_refused_is_the_platforms_fault() -> None:
    queue = Queue(waiting=1)
    dispatcher(queue, NoHosts()).serve()
    assert [(failed.blame, failed.cause) for failed in queue.failed] == [(Blame.PLATFORM, Cause.LAUNCH_REFUSED)]


def test_an_error_of_our_own_ends_the_run_and_not_the_dispatcher() -> None:
    queue = Queue(waiting=2)
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
            raise StoreUnavailable("the database went away")
        recorded.append(failed)

    queue.record = refuse_the_first
    summary = dispatcher(queue, NoHosts()).serve()
    assert (summary.failed, summary.unexpected) == (2, 1)
    assert "the database went away" in caplog.text


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
    assert [one.work.submission_id for one in queue.requeued] == [1]
    assert queue.failed == []
    assert [one.outcome for one in seen if isinstance(one, RunEnded)] == [None]


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
