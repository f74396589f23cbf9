"""Carry one claimed submission through its stages: provision, push, launch, wait, pull, score, record, release."""

from __future__ import annotations

import errno
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from contracts.errors import (
    CapacityMissing,
    DiskFull,
    HostUnreachable,
    KitChanged,
    LeaseLost,
    RampartError,
    RunOver,
    SpotReclaimed,
)
from contracts.redaction import BY_LOOK
from contracts.work import (
    Adopted,
    Blame,
    Cause,
    Claimed,
    Failed,
    Finished,
    Launched,
    Provisioned,
    Pulled,
    Pushed,
    Scored,
    Spread,
    StageValue,
    claimed_of,
    provisioned_of,
)
from runner.carrying import salvaged
from runner.carrying.leaving import Leaving
from runner.carrying.patience import PATIENCE, Patience
from runner.carrying.reaching import Reach
from runner.carrying.recording import Recorder
from runner.interruption import HandedBack, Interrupted, Interruption, Wish
from runner.judging import wording
from runner.judging.faults import cancelled, failed_by
from runner.judging.retry import Again, BackToQueue
from runner.ports import Hosts, Scorer, Store, Transport
from runner.progress import Observer, RunEnded, Stage, StageStarted
from runner.stages import launch, pull, push, scores, wait

Outcome = Scored | Failed | BackToQueue
_log = logging.getLogger(__name__)
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT})
_LAST_STAGES = frozenset({Stage.SCORE, Stage.RECORD, Stage.RELEASE})
"""Where a run is so near its end that it is let come to it, whoever asks it to stop."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every run of a dispatcher has in common."""

    hosts: Hosts
    store: Store
    interruption: Interruption
    now: Callable[[], datetime]
    observe: Observer
    patience: Patience = PATIENCE
    scorer: Scorer | None = None
    redact: Callable[[str], str] = BY_LOOK
    chance: Callable[[], float] = random.random


class Run:
    """One run's way through the stages. `interruption` is its own: it is asked when the dispatcher's is."""

    def __init__(self, start: Claimed | Adopted, around: Surroundings, interruption: Interruption) -> None:
        self._adopted = start if isinstance(start, Adopted) else None
        self._start: StageValue = start.value if isinstance(start, Adopted) else start
        self._claimed = claimed_of(self._start)
        self._work = self._claimed.work
        self._hosts = around.hosts
        self._store = around.store
        self._scorer = around.scorer
        self._now = around.now
        self._observe = around.observe
        self._redact = around.redact
        self._patience = around.patience
        self._interruption = interruption
        self._leaving = Leaving(around.hosts, interruption)
        self._reach = Reach(around.hosts, interruption, around.now, around.patience)
        self._recorder = Recorder(
            self._claimed,
            around.store,
            around.interruption,
            now=around.now,
            chance=around.chance,
            patience=around.patience,
        )
        self._steps: dict[Stage, float] = {}
        self._host_id = ""

    def to_its_end(self) -> RunEnded:
        """Run every stage, record what came of it and give the host back.

        A failure is recorded with its blame, or the submission goes back to the queue. An adopted run goes on from its
        last value. Raises HandedBack when the run is left to whoever adopts it, LeaseLost when somebody has: the host
        is not ours any more.
        """
        try:
            provisioned = self._provisioned()
        except LeaseLost:
            raise
        except Exception as error:
            ended = self._ended(self._outcome_of(error))
            self._let_go()
            return ended
        self._host_id = provisioned.host.host_id
        try:
            ended = self._ended(self._outcome(provisioned))
        except HandedBack:
            raise
        except LeaseLost as error:
            if isinstance(error, RunOver):
                self._release(provisioned)
            raise
        except BaseException:
            self._release(provisioned)
            raise
        self._release(provisioned)
        return ended

    def give_host_back(self) -> None:
        """Do what is left of an adopted run whose result stands; tried once, then the host's own deadline must do."""
        provisioned = provisioned_of(self._start)
        if provisioned is not None:
            self._host_id = provisioned.host.host_id
            self._release(provisioned)
        self._let_go()

    def _provisioned(self) -> Provisioned:
        found = provisioned_of(self._start)
        if found is not None:
            return found
        with self._step(Stage.PROVISION):
            return self._hosts.acquire(self._claimed, self._interruption)

    def _outcome(self, provisioned: Provisioned) -> Outcome:
        try:
            start = provisioned if isinstance(self._start, Claimed) else self._start
            if isinstance(start, Pulled) and not start.log_path.exists():  # pulled to another machine than this one
                start = start.finished
            pulled = start if isinstance(start, Pulled) else self._on_host(start)
            with self._step(Stage.SCORE, after=pulled):
                return scores.score(pulled, self._scorer)
        except LeaseLost:
            raise
        except Exception as error:
            return self._outcome_of(error)

    def _outcome_of(self, error: Exception) -> Outcome:
        """What broke because somebody asked to stop is no failure of the run."""
        match self._interruption.wish:
            case Wish.HAND_BACK:
                raise HandedBack from error
            case Wish.CANCEL:
                return cancelled(self._work)
            case Wish.LEAVE:
                return failed_by(SpotReclaimed(self._leaving.reason), self._work)
            case Wish.END:
                return self._unharmed("the dispatcher was stopped")
            case None:
                pass
        if isinstance(error, CapacityMissing):
            return self._unharmed(str(error), wait_s=error.retry_after_s)
        if isinstance(error, KitChanged):
            return self._unharmed(str(error))
        if isinstance(error, HandedBack):
            raise error
        if isinstance(error, RampartError):
            return failed_by(error, self._work)
        return self._internal(error)

    def _unharmed(self, reason: str, *, wait_s: float = 0.0) -> BackToQueue:
        """No attempt is used up."""
        return BackToQueue(reason, again=Again(wait_s, on_demand=self._work.on_demand))

    def _internal(self, error: Exception) -> Failed:
        _log.critical("unexpected error in a run", exc_info=error, extra={"action": "unexpected-error"})
        message = f"unexpected error in Rampart: {type(error).__name__}: {error}"
        return Failed(work=self._work, blame=Blame.PLATFORM, cause=Cause.INTERNAL, message=message)

    def _ended(self, outcome: Outcome) -> RunEnded:
        with self._step(Stage.RECORD):
            outcome = wording.cleared(self._recorder.settled(outcome), self._redact)
            try:
                self._recorder.record(outcome)
            except (RampartError, HandedBack):
                raise
            except Exception as error:  # it would not go better another time
                outcome = wording.cleared(self._internal(error), self._redact)
                self._recorder.record(outcome)
        if not isinstance(outcome, BackToQueue):
            salvaged.forget(self._work)
        shown, reason = (None, outcome.reason) if isinstance(outcome, BackToQueue) else (outcome, "")
        ended = RunEnded(self._work, shown, dict(self._steps), reason)
        self._observe(ended)
        return ended

    def _release(self, provisioned: Provisioned) -> None:
        try:
            with self._step(Stage.RELEASE):
                self._hosts.release(provisioned)
        except Exception as error:  # the result is safe; the host still ends by its own deadline
            unexpected = None if isinstance(error, RampartError) else error
            _log.error("could not release %s: %s", self._host_id, error, exc_info=unexpected)
        else:
            self._let_go()

    def _let_go(self) -> None:
        try:
            self._store.released(self._work)
        except RampartError as error:  # whoever adopts the run finds that only this is left
            _log.warning("the lease of %s stays until it ends: %s", self._work.submission_key, error)

    def _on_host(self, start: Provisioned | Spread | Pushed | Launched | Finished) -> Pulled:
        start = start.provisioned if isinstance(start, Spread) else start
        if isinstance(start, Provisioned | Pushed):
            start = self._launched(start)
            launched = start
            self._recorder.persist(lambda: self._store.training_started(launched))
        return self._collected(start)

    def _launched(self, start: Provisioned | Pushed) -> Launched:
        """Push and launch; what was done before without being noted is found done."""
        provisioned = start.provisioned if isinstance(start, Pushed) else start
        was_tried = self._adopted is not None

        def go_on(transport: Transport) -> Launched:
            nonlocal start, was_tried
            again, was_tried = was_tried, True
            if isinstance(start, Provisioned):
                with self._step(Stage.PUSH, after=start):
                    bundle = self._scorer.bundle() if self._scorer is not None else None
                    start = push.push(start, transport, again=again, bundle=bundle)
            with self._step(Stage.LAUNCH, after=start):
                return launch.launch(start, transport, self._now)

        with self._leaving.heard(provisioned):
            return self._reach.act(provisioned, go_on)

    def _collected(self, start: Launched | Finished) -> Pulled:
        """Wait and pull; a lost connection says nothing about the job."""
        provisioned = (start.launched if isinstance(start, Finished) else start).pushed.provisioned

        def go_on(transport: Transport) -> Pulled:
            nonlocal start
            if isinstance(start, Launched):
                with self._leaving.heard(provisioned), self._step(Stage.WAIT):
                    start = wait.wait(start, transport)
            with self._step(Stage.PULL, after=start):
                return self._pulled(start, transport)

        try:
            return self._reach.act(provisioned, go_on)
        except (HostUnreachable, Interrupted):
            if self._interruption.wish is Wish.LEAVE:
                self._leaving.bring_home(start.launched if isinstance(start, Finished) else start)
            raise

    def _pulled(self, finished: Finished, transport: Transport) -> Pulled:
        """Pull, again and again while this machine has no room for it."""
        pauses = self._patience.pauses()
        for attempt in range(1, self._patience.tries_to_pull + 1):
            try:
                return self._pull(finished, transport)
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                if attempt == self._patience.tries_to_pull:
                    hint = f"make room for {self._work.predictions_dir} and {self._work.logs_dir}"
                    raise DiskFull(f"the result could not be kept: {error.strerror}", hint=hint) from error
                _log.error("no room to pull a result: %s", error, extra={"action": "disk-full"})
                self._interruption.sleep(next(pauses))
        raise AssertionError("unreachable")

    def _pull(self, finished: Finished, transport: Transport) -> Pulled:
        return pull.pull(finished, transport, redact=self._redact)

    @contextmanager
    def _step(self, stage: Stage, *, after: StageValue | None = None) -> Iterator[None]:
        if self._interruption.asked and stage not in _LAST_STAGES:
            raise Interrupted
        self._tell(stage, after)
        started = time.monotonic()
        try:
            yield
        finally:
            self._steps[stage] = self._steps.get(stage, 0.0) + time.monotonic() - started

    def _tell(self, stage: Stage, after: StageValue | None) -> None:
        self._observe(StageStarted(self._work, stage, self._host_id))
        self._note(stage, after)

    def _note(self, stage: Stage, after: StageValue | None) -> None:
        try:
            self._store.stage_started(self._work, stage, self._host_id, after=after)
        except LeaseLost:
            raise
        except RampartError as error:  # those who watch miss it, and an adopter does this stage's work once more
            _log.warning("stage %s of %s was not noted: %s", stage, self._work.submission_key, error)
