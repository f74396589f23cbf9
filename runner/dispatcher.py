"""Take submissions from the queue and run as many at a time as the event allows."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from contracts.errors import RampartError
from contracts.event import HungerPolicy
from contracts.work import Claimed, Failed, Scored
from runner.flow import Run
from runner.interruption import Interruption
from runner.ports import Hosts, Store
from runner.progress import Observer, RunEnded

_log = logging.getLogger(__name__)
_HUNGRY_SLEEP_S = 5.0  # RAMP's own figure for `hunger_policy: sleep`


@dataclass(frozen=True, slots=True)
class Pace:
    """How many runs at a time, and how the queue is asked. Times are in seconds."""

    n_workers: int
    hunger_policy: HungerPolicy
    time_between_collection_s: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a dispatcher did until it stopped; `unexpected` counts runs that ended in a fault of ours."""

    scored: int = 0
    failed: int = 0
    requeued: int = 0
    unexpected: int = 0


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
        self._active: set[Future[RunEnded]] = set()
        self._ended: list[Future[RunEnded]] = []
        self._lock = threading.Lock()

    def serve(self) -> Summary:
        """Claim and run until the end; returns when every run has been recorded and every host given back."""
        forget = self._interruption.on_ask(self._something_changed.set)
        try:
            with ThreadPoolExecutor(self._pace.n_workers, thread_name_prefix=f"run-{self._event}") as pool:
                while not self._interruption.asked:
                    free = self._free_places()
                    claimed = self._store.claim(self._event, free) if free else []
                    for one in claimed:
                        self._start(pool, one)
                    idle = not claimed and free == self._pace.n_workers
                    if idle and self._pace.hunger_policy is HungerPolicy.EXIT:
                        break
                    self._await_change(idle)
        finally:
            forget()
        return self._summary()

    def run_one(self, claimed: Claimed) -> RunEnded:
        """Carry one claimed submission to its end in the calling thread."""
        return self._run(claimed).to_its_end()

    def _free_places(self) -> int:
        with self._lock:
            return self._pace.n_workers - len(self._active)

    def _start(self, pool: ThreadPoolExecutor, claimed: Claimed) -> None:
        future = pool.submit(self.run_one, claimed)
        with self._lock:
            self._active.add(future)
        future.add_done_callback(self._finished)

    def _finished(self, future: Future[RunEnded]) -> None:
        with self._lock:
            self._active.discard(future)
            self._ended.append(future)
        self._something_changed.set()

    def _await_change(self, idle: bool) -> None:
        hungry = idle and self._pace.hunger_policy is HungerPolicy.SLEEP
        self._something_changed.wait(_HUNGRY_SLEEP_S if hungry else self._pace.time_between_collection_s)
        self._something_changed.clear()

    def _run(self, claimed: Claimed) -> Run:
        return Run(
            claimed,
            hosts=self._hosts,
            store=self._store,
            interruption=self._interruption,
            now=self._now,
            observe=self._observe,
        )

    def _summary(self) -> Summary:
        scored = failed = requeued = unexpected = 0
        for future in self._ended:
            error = future.exception()
            if error is not None:
                unexpected += 1
                level = logging.ERROR if isinstance(error, RampartError) else logging.CRITICAL
                _log.log(level, "a run could not be recorded: %s", error, exc_info=error)
                continue
            match future.result().outcome:
                case Scored():
                    scored += 1
                case Failed():
                    failed += 1
                case None:
                    requeued += 1
        return Summary(scored, failed, requeued, unexpected)
