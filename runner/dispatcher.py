"""Take submissions from the queue and run as many at a time as the event allows."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from contracts.errors import LeaseLost, RampartError
from contracts.event import HungerPolicy
from contracts.work import Adopted, Claimed, Failed, Scored, claimed_of
from runner.flow import Run
from runner.interruption import Interruption
from runner.ports import Hosts, Store
from runner.progress import Observer, RunEnded

T = TypeVar("T")
_log = logging.getLogger(__name__)
_HUNGRY_SLEEP_S = 5.0  # RAMP's own figure for `hunger_policy: sleep`


@dataclass(frozen=True, slots=True)
class Pace:
    """How many runs at a time, and how the queue is asked. Times are in seconds."""

    n_workers: int
    hunger_policy: HungerPolicy
    time_between_collection_s: float
    lease_renewal_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Summary:
    """What a dispatcher did until it stopped.

    `unexpected` counts runs that ended in a fault of ours, `dropped` those another dispatcher had adopted meanwhile.
    """

    scored: int = 0
    failed: int = 0
    requeued: int = 0
    unexpected: int = 0
    dropped: int = 0


class Dispatcher:
    """Serves one event until nothing is left to do (`hunger_policy: exit`) or somebody asks it to stop."""

    def __init__(
        self,
        event: str,
        *,
        pace: Pace,
        store: Store,
        hosts: Hosts,
        interruption: Interruption,
        now: Callable[[], datetime],
        observe: Observer,
    ) -> None:
        self._event = event
        self._pace = pace
        self._store = store
        self._hosts = hosts
        self._interruption = interruption
        self._now = now
        self._observe = observe
        self._something_changed = threading.Event()
        self._active: set[Future[RunEnded | None]] = set()
        self._counts: Counter[str] = Counter()
        self._leases: set[str] = set()
        self._lock = threading.Lock()

    def serve(self) -> Summary:
        """Claim and run until the end; returns when every run has been recorded and every host given back."""
        forget = self._interruption.on_ask(self._something_changed.set)
        try:
            with (
                self._leases_renewed(),
                ThreadPoolExecutor(self._pace.n_workers, thread_name_prefix=f"run-{self._event}") as pool,
            ):
                while not self._interruption.asked:
                    free = self._free_places()
                    taken = self._taken(free)
                    for one in taken:
                        self._start(pool, one)
                    idle = not taken and free == self._pace.n_workers
                    if idle and self._pace.hunger_policy is HungerPolicy.EXIT and self._nothing_is_left():
                        break
                    self._await_change(idle)
        finally:
            forget()
        return self._summary()

    def run_one(self, claimed: Claimed) -> RunEnded:
        """Carry one claimed submission to its end in the calling thread."""
        with self._leases_renewed():
            return self._held(claimed, lambda: self._run(claimed).to_its_end())

    def _taken(self, free: int) -> list[Claimed | Adopted]:
        """Orphaned runs come before new ones: their submissions have waited longest."""
        adopted = self._store.adopt(self._event, free) if free else []
        for one in adopted:
            work = claimed_of(one.value).work
            _log.warning(
                "adopted run %s of %s/%s", work.attempt, work.team, work.submission, extra={"action": "adopted"}
            )
        left = free - len(adopted)
        return [*adopted, *(self._store.claim(self._event, left) if left else [])]

    def _nothing_is_left(self) -> bool:
        """Whether no run of another dispatcher may still come to us, should that one have died."""
        with self._lock:
            own = set(self._leases)
        return not self._store.held_elsewhere(self._event, own)

    def _carried(self, start: Claimed | Adopted) -> RunEnded | None:
        """Carry a run to its end; None where only its host was left to give back."""
        run = self._run(start)
        if isinstance(start, Adopted) and start.has_ended:
            run.give_host_back()
            return None
        return run.to_its_end()

    def _held(self, start: Claimed | Adopted, carry: Callable[[], T]) -> T:
        """Keep the run's lease alive as long as we are at it."""
        token = claimed_of(start.value if isinstance(start, Adopted) else start).work.lease_token
        with self._lock:
            self._leases.add(token)
        try:
            return carry()
        finally:
            with self._lock:
                self._leases.discard(token)

    @contextmanager
    def _leases_renewed(self) -> Iterator[None]:
        ended = threading.Event()
        renewer = threading.Thread(target=self._renew_until, args=(ended,), name=f"leases-{self._event}", daemon=True)
        renewer.start()
        try:
            yield
        finally:
            ended.set()
            renewer.join()

    def _renew_until(self, ended: threading.Event) -> None:
        while not ended.wait(self._pace.lease_renewal_s):
            with self._lock:
                held = set(self._leases)
            if not held:
                continue
            try:
                self._store.renew(held)
            except RampartError as error:  # the next try comes before the lease ends; after that, adoption is fine too
                _log.warning("leases of %s were not renewed: %s", self._event, error)

    def _free_places(self) -> int:
        with self._lock:
            return self._pace.n_workers - len(self._active)

    def _start(self, pool: ThreadPoolExecutor, start: Claimed | Adopted) -> None:
        future = pool.submit(self._held, start, lambda: self._carried(start))
        with self._lock:
            self._active.add(future)
        future.add_done_callback(self._finished)

    def _finished(self, future: Future[RunEnded | None]) -> None:
        counted = self._counted(future)
        with self._lock:
            self._active.discard(future)
            self._counts[counted] += 1
        self._something_changed.set()

    def _await_change(self, idle: bool) -> None:
        hungry = idle and self._pace.hunger_policy is HungerPolicy.SLEEP
        self._something_changed.wait(_HUNGRY_SLEEP_S if hungry else self._pace.time_between_collection_s)
        self._something_changed.clear()

    def _run(self, start: Claimed | Adopted) -> Run:
        return Run(
            start,
            hosts=self._hosts,
            store=self._store,
            interruption=self._interruption,
            now=self._now,
            observe=self._observe,
        )

    def _counted(self, future: Future[RunEnded | None]) -> str:
        """Which count of the summary a run belongs to; what went wrong is told at once: a loop may run for weeks."""
        error = future.exception()
        if isinstance(error, LeaseLost):
            _log.warning("a run was dropped: %s", error, extra={"action": "dropped"})
            return "dropped"
        if error is not None:
            level = logging.ERROR if isinstance(error, RampartError) else logging.CRITICAL
            _log.log(level, "a run could not be recorded: %s", error, exc_info=error)
            return "unexpected"
        ended = future.result()
        if ended is None:
            return "released"
        match ended.outcome:
            case Scored():
                return "scored"
            case Failed():
                return "failed"
            case None:
                return "requeued"

    def _summary(self) -> Summary:
        return Summary(**{name: self._counts[name] for name in Summary.__slots__})
