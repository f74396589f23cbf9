"""A queue and a host pool that keep what the dispatcher tells them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from contracts.errors import SubmissionInvalid
from contracts.work import Adopted, Cause, Claimed, Failed, Launched, Provisioned, Scored, Spread, StageValue, Work
from runner.interruption import Interruption
from runner.ports import Transport
from runner.progress import Stage

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def claimed(submission_id: int) -> Claimed:
    here = Path("/nowhere")
    work = Work(submission_id, "iris", "team", f"s{submission_id}", 1, here, here, here, 60.0)
    work = replace(work, lease_token=f"token-{submission_id}")
    return Claimed(work=work, claimed_at=NOW)


class Queue:
    """A store that keeps what the dispatcher told it."""

    def __init__(self, waiting: int) -> None:
        self.waiting = [claimed(number) for number in range(1, waiting + 1)]
        self.failed: list[Failed] = []
        self.requeued: list[tuple[int, str, Cause | None]] = []
        self.handed_back: set[str] = set()
        self.to_be_cancelled: set[str] = set()
        self.is_held: Callable[[], bool] = lambda: False
        self.pause_reason = ""
        self.orphans: list[Adopted] = []
        self.renewed: list[set[str]] = []
        self.lost: dict[Cause, int] = {}
        self.was_renewed = threading.Event()
        self.let_go: list[int] = []
        self.elsewhere: Callable[[], bool] = lambda: False
        self.asked = threading.Event()
        self.record: Callable[[Failed], None] = self.failed.append

    def claim(self, event: str, limit: int) -> list[Claimed]:
        taken, self.waiting = self.waiting[:limit], self.waiting[limit:]
        self.asked.set()
        return taken

    def waits(self, event: str) -> bool:
        return self.is_held()

    def paused(self, event: str) -> str:
        return self.pause_reason

    def renew(self, lease_tokens: Collection[str]) -> None:
        self.renewed.append(set(lease_tokens))
        self.was_renewed.set()

    def unwanted(self, lease_tokens: Collection[str]) -> set[str]:
        return self.to_be_cancelled & set(lease_tokens)

    def hand_back(self, lease_tokens: Collection[str]) -> None:
        self.handed_back |= set(lease_tokens)

    def adopt(self, event: str, limit: int, held: Collection[str] = ()) -> list[Adopted]:
        taken, self.orphans = self.orphans[:limit], self.orphans[limit:]
        return taken

    def held_elsewhere(self, event: str, lease_tokens: Collection[str]) -> bool:
        return self.elsewhere()

    def stage_started(self, work: Work, stage: Stage, host_id: str = "", *, after: StageValue | None = None) -> None:
        pass

    def released(self, work: Work) -> None:
        self.let_go.append(work.submission_id)

    def training_started(self, launched: Launched | Spread) -> None:
        raise AssertionError("nothing gets that far here")

    def record_scored(self, scored: Scored) -> None:
        raise AssertionError("nothing gets that far here")

    def record_failed(self, failed: Failed) -> None:
        self.record(failed)

    def losses(self, work: Work) -> dict[Cause, int]:
        return self.lost

    def requeue(
        self, claimed: Claimed, reason: str, cause: Cause | None = None, *, wait_s: float = 0, on_demand: bool = False
    ) -> None:
        self.requeued.append((claimed.work.submission_id, reason, cause))


class NoHosts:
    """A host pool that gives no host, after as long as `hold` says; by default for a fault of the submission."""

    def __init__(self, hold: Callable[[], None] = lambda: None, error: Exception | None = None) -> None:
        self._hold = hold
        self._error = error or SubmissionInvalid("a link in it")
        self._lock = threading.Lock()
        self.now_inside = 0
        self.most_inside = 0
        self.connect_error: Exception = AssertionError("nothing gets that far here")
        self.released: list[str] = []

    def acquire(self, claimed: Claimed, interruption: Interruption | None = None) -> Provisioned:
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
        raise self.connect_error

    def is_gone(self, provisioned: Provisioned) -> bool:
        return True

    def release(self, provisioned: Provisioned) -> None:
        self.released.append(provisioned.host.host_id)
