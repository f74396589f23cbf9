"""Write about a run for as long as the database takes to answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from contracts.errors import RunOver, StoreRefuses, StoreUnavailable
from contracts.work import Claimed, Failed, Scored
from runner.carrying.patience import Patience
from runner.interruption import HandedBack, Interrupted, Interruption
from runner.judging.retry import Again, BackToQueue, decide
from runner.ports import Store

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Recorder:
    """What one run tells the store. `interruption` is the dispatcher's: only its end ends the waiting."""

    def __init__(
        self,
        claimed: Claimed,
        store: Store,
        interruption: Interruption,
        *,
        now: Callable[[], datetime],
        chance: Callable[[], float],
        patience: Patience,
    ) -> None:
        self._claimed = claimed
        self._work = claimed.work
        self._store = store
        self._interruption = interruption
        self._now = now
        self._chance = chance
        self._patience = patience

    def settled(self, outcome: Scored | Failed | BackToQueue) -> Scored | Failed | BackToQueue:
        """Say what is to be recorded: a failure that may go better another time goes back to the queue."""
        if not isinstance(outcome, Failed):
            return outcome
        losses = self.persist(lambda: self._store.losses(self._work))
        decision = decide(
            outcome.blame,
            outcome.cause,
            losses,
            on_demand=self._work.on_demand,
            chance=self._chance(),
            budget=self._patience.budget,
        )
        if not isinstance(decision, Again):
            return outcome
        return BackToQueue(outcome.message, outcome.cause, decision)

    def record(self, outcome: Scored | Failed | BackToQueue) -> None:
        """Write what became of the run."""
        match outcome:
            case Scored():
                self._once(lambda: self._store.record_scored(outcome))
            case Failed():
                self._once(lambda: self._store.record_failed(outcome))
            case BackToQueue(reason, cause, again):
                self._once(
                    lambda: self._store.requeue(
                        self._claimed, reason, cause, wait_s=again.wait_s, on_demand=again.on_demand
                    )
                )

    def persist(self, write: Callable[[], T]) -> T:
        """Write, again and again while the database does not answer.

        Raises HandedBack when the dispatcher stops before: what the journal holds of the run is gone on with later.
        """
        lost_at: datetime | None = None
        for pause_s in self._patience.pauses():
            try:
                written = write()
            except StoreRefuses:
                raise
            except StoreUnavailable as error:
                if lost_at is None:
                    lost_at = self._now()
                    _log.warning(
                        "%s waits for the database: %s", self._named(), error, extra={"action": "wait-for-database"}
                    )
                try:
                    self._interruption.sleep(pause_s)
                except Interrupted:
                    raise HandedBack from error
            else:
                if lost_at is not None:
                    _log.warning(
                        "%s is written down: the database was away for %.0f s",
                        self._named(),
                        (self._now() - lost_at).total_seconds(),
                        extra={"action": "database-back"},
                    )
                return written
        raise AssertionError("pauses never end")

    def _once(self, write: Callable[[], None]) -> None:
        """Write the end of the run; a database that was lost after it took it says that the run is over."""
        has_failed = False

        def attempt() -> None:
            nonlocal has_failed
            try:
                write()
            except StoreUnavailable:
                has_failed = True
                raise
            except RunOver:
                if not has_failed:
                    raise

        self.persist(attempt)

    def _named(self) -> str:
        return f"run {self._work.attempt} of {self._work.team}/{self._work.submission}"
