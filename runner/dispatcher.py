"""Take submissions from the queue and run as many at a time as the event allows."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

from contracts.errors import LeaseLost, RampartError, StoreRefuses, StoreUnavailable
from contracts.event import HungerPolicy
from contracts.redaction import BY_LOOK
from contracts.work import Adopted, Claimed, Failed, Scored, claimed_of
from runner.carrying.patience import PATIENCE, Patience
from runner.flow import Run, Surroundings
from runner.interruption import HandedBack, Interruption, Wish
from runner.leasing import Leases
from runner.ports import Hosts, Scorer, Store, Sweep
from runner.progress import Observer, RunEnded
from runner.ticking import every

_log = logging.getLogger(__name__)
MakeRun = Callable[[Claimed | Adopted, Surroundings, Interruption], Run]
"""Which way runs go: through the stages on a host, or by a worker of the organiser's own."""

LEASE_RENEWAL_S = 10.0
_HUNGRY_SLEEP_S = 5.0  # RAMP's own figure for `hunger_policy: sleep`


@dataclass(frozen=True, slots=True)
class Pace:
    """How many runs at a time, and how the queue is asked. Times are in seconds."""

    n_workers: int
    hunger_policy: HungerPolicy
    time_between_collection_s: float
    lease_renewal_s: float = LEASE_RENEWAL_S
    cancel_look_s: float = 1.0
    sweep_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Summary:
    """What a dispatcher did until it stopped.

    `handed_back` counts runs that go on without it, `unexpected` those that ended in a fault of ours, `dropped` those
    another dispatcher had adopted meanwhile. `paused` says why nothing more was claimed.
    """

    scored: int = 0
    failed: int = 0
    requeued: int = 0
    unexpected: int = 0
    dropped: int = 0
    handed_back: int = 0
    paused: str = ""


_COUNTS = tuple(name for name in Summary.__slots__ if name != "paused")


class Dispatcher:
    """Serves one event until nothing is left to do (`hunger_policy: exit`) or somebody asks it to stop.

    `limit` tells how many hosts may be up, where that was found out; `sweep` keeps the account clean meanwhile. An
    event that `is_closed` is served until its queue is empty, whatever its hunger policy.
    `redact` takes secrets out of what is told of runs.
    """

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
        patience: Patience = PATIENCE,
        scorer: Scorer | None = None,
        sweep: Sweep | None = None,
        limit: Callable[[], int | None] = lambda: None,
        is_closed: Callable[[], bool] = lambda: False,
        make_run: MakeRun = Run,
        redact: Callable[[str], str] = BY_LOOK,
    ) -> None:
        self._event = event
        self._pace = pace
        self._store = store
        self._interruption = interruption
        self._now = now
        self._around = Surroundings(hosts, store, interruption, now, observe, patience, scorer, redact)
        self._sweep = sweep
        self._limit = limit
        self._is_closed = is_closed
        self._make_run = make_run
        self._something_changed = threading.Event()
        self._active: set[Future[RunEnded | None]] = set()
        self._counts: Counter[str] = Counter()
        self._leases = Leases(store, event, observe)
        self._lock = threading.Lock()
        self._paused = ""
        self._has_answered = False
        self._silent_since: datetime | None = None

    def serve(self) -> Summary:
        """Claim and run until the end; returns when every run has been recorded, or handed back."""
        forget = self._interruption.on_ask(self._something_changed.set)
        try:
            with (
                self._ticks(),
                ThreadPoolExecutor(self._pace.n_workers, thread_name_prefix=f"run-{self._event}") as pool,
            ):
                while not self._interruption.asked:
                    try:
                        idle = self._filled(pool)
                        is_done = idle and self._is_to_end_when_idle() and self._nothing_is_left()
                        self._note_answer()
                        if is_done:
                            break
                    except StoreUnavailable as error:
                        idle = False
                        self._note_silence(error)
                    self._await_change(idle)
        finally:
            forget()
        return self._summary()

    def run_one(self, claimed: Claimed) -> RunEnded:
        """Carry one claimed submission to its end in the calling thread."""
        with self._ticks(), self._run(claimed) as run:
            return run.to_its_end()

    def _filled(self, pool: ThreadPoolExecutor) -> bool:
        """Put work on every free place; says whether there is none left, and none in progress."""
        free = self._free_places()
        taken = self._taken(free)
        for one in taken:
            self._start(pool, one)
        if free and not taken:
            self._note_pause(self._store.paused(self._event))
        with self._lock:
            return not taken and not self._active

    def _taken(self, free: int) -> list[Claimed | Adopted]:
        """Orphaned runs come before new ones: their submissions have waited longest."""
        adopted = self._store.adopt(self._event, free, self._leases.tokens) if free else []
        for one in adopted:
            work = claimed_of(one.value).work
            _log.warning(
                "adopted run %s of %s/%s", work.attempt, work.team, work.submission, extra={"action": "adopted"}
            )
        left = free - len(adopted)
        return [*adopted, *(self._store.claim(self._event, left) if left else [])]

    def _is_to_end_when_idle(self) -> bool:
        return self._pace.hunger_policy is HungerPolicy.EXIT or self._is_closed()

    def _nothing_is_left(self) -> bool:
        """Whether no run of another dispatcher may still come to us, should that one have died, and nobody is held."""
        return not self._store.held_elsewhere(self._event, self._leases.tokens) and not self._store.waits(self._event)

    def _carried(self, start: Claimed | Adopted) -> RunEnded | None:
        """Carry a run to its end; None where only its host was left to give back."""
        with self._run(start) as run:
            if isinstance(start, Adopted) and start.has_ended:
                run.give_host_back()
                return None
            return run.to_its_end()

    @contextmanager
    def _run(self, start: Claimed | Adopted) -> Iterator[Run]:
        """Make a run, whose lease is kept and whose cancelling is heard as long as we are at it."""
        token = claimed_of(start.value if isinstance(start, Adopted) else start).work.lease_token
        with (
            self._interruption.for_one() as interruption,
            self._leases.held(token, cancel=lambda: interruption.ask(Wish.CANCEL)),
        ):
            yield self._make_run(start, self._around, interruption)

    @contextmanager
    def _ticks(self) -> Iterator[None]:
        pace, event = self._pace, self._event
        with ExitStack() as ticking:
            ticking.enter_context(every(pace.lease_renewal_s, self._leases.renew, name=f"leases-{event}"))
            ticking.enter_context(every(pace.cancel_look_s, self._leases.cancel_unwanted, name=f"cancels-{event}"))
            if self._sweep is not None:
                ticking.enter_context(every(pace.sweep_s, self._sweep.sweep, name=f"sweep-{event}"))
            yield

    def _free_places(self) -> int:
        """What the event allows, and what it was found out that the hosts' owner does; one may always be tried."""
        limit = self._limit()
        places = self._pace.n_workers if limit is None else min(self._pace.n_workers, max(1, limit))
        with self._lock:
            return max(0, places - len(self._active))

    def _start(self, pool: ThreadPoolExecutor, start: Claimed | Adopted) -> None:
        future = pool.submit(self._carried, start)
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

    def _note_pause(self, reason: str) -> None:
        if reason and reason != self._paused:
            told = "event %s is paused: %s; when it is mended: invoke resume --event %s"
            _log.warning(told, self._event, reason, self._event, extra={"action": "paused"})
        self._paused = reason

    def _note_answer(self) -> None:
        self._has_answered = True
        if self._silent_since is not None:
            lasted = (self._now() - self._silent_since).total_seconds()
            _log.warning("the database answers again after %.0f s", lasted, extra={"action": "database-back"})
        self._silent_since = None

    def _note_silence(self, error: StoreUnavailable) -> None:
        """A database that has answered will again, and runs go on meanwhile; one that never has is set up wrongly."""
        if not self._has_answered or isinstance(error, StoreRefuses):
            raise error
        if self._silent_since is None:
            _log.warning("nothing is claimed meanwhile: %s", error, extra={"action": "wait-for-database"})
            self._silent_since = self._now()

    def _counted(self, future: Future[RunEnded | None]) -> str:
        """Which count of the summary a run belongs to; what went wrong is told at once: a loop may run for weeks."""
        error = future.exception()
        if isinstance(error, HandedBack):
            return "handed_back"
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
        return Summary(paused=self._paused, **{name: self._counts[name] for name in _COUNTS})
