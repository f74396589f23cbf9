"""Carry one claimed submission through its stages: provision, push, launch, wait, pull, score, record, release."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from contracts.errors import HostGone, HostUnreachable, LeaseLost, RampartError, RunLost, RunOver
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
    StageValue,
    claimed_of,
    provisioned_of,
)
from runner.faults import failed_by
from runner.interruption import Interrupted, Interruption
from runner.ports import Hosts, Store, Transport
from runner.progress import Observer, RunEnded, Stage, StageStarted
from runner.stages import launch, pull, push, scores, wait

_log = logging.getLogger(__name__)
_RECONNECTS = 5
_RECONNECT_PAUSE_S = 2.0
_PLATFORM_ATTEMPTS = 3
_LOST = (HostGone, HostUnreachable, RunLost)


class Run:
    """One run's way through the stages, with what it needs at hand."""

    def __init__(
        self,
        start: Claimed | Adopted,
        *,
        hosts: Hosts,
        store: Store,
        interruption: Interruption,
        now: Callable[[], datetime],
        observe: Observer,
    ) -> None:
        self._adopted = start if isinstance(start, Adopted) else None
        self._start: StageValue = start.value if isinstance(start, Adopted) else start
        self._claimed = claimed_of(self._start)
        self._work = self._claimed.work
        self._hosts = hosts
        self._store = store
        self._interruption = interruption
        self._now = now
        self._observe = observe
        self._steps: dict[Stage, float] = {}
        self._host_id = ""
        self._lost = ""

    def to_its_end(self) -> RunEnded:
        """Run every stage, record what came of it and give the host back.

        A failure is recorded with its blame; an interruption gives the submission back to the queue. An adopted run
        goes on from its last value. Raises LeaseLost when another dispatcher has adopted it: the host is its own now.
        """
        try:
            provisioned = self._provisioned()
        except LeaseLost:
            raise
        except Exception as error:
            ended = self._ended(self._outcome_of(error))
            self._store.released(self._work)
            return ended
        self._host_id = provisioned.host.host_id
        try:
            ended = self._ended(self._outcome(provisioned))
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
        self._store.released(self._work)

    def _provisioned(self) -> Provisioned:
        found = provisioned_of(self._start)
        if found is not None:
            return found
        with self._step(Stage.PROVISION):
            return self._hosts.acquire(self._claimed)

    def _outcome(self, provisioned: Provisioned) -> Scored | Failed | None:
        try:
            start = provisioned if isinstance(self._start, Claimed) else self._start
            pulled = start if isinstance(start, Pulled) else self._on_host(start)
            with self._step(Stage.SCORE, after=pulled):
                return scores.score(pulled)
        except LeaseLost:
            raise
        except Exception as error:
            return self._outcome_of(error)

    def _outcome_of(self, error: BaseException) -> Failed | None:
        if self._interruption.asked:  # what broke because everything was told to stop is no failure of the run
            return None
        if self._adopted is not None and isinstance(error, _LOST) and self._may_be_lost_again():
            self._lost = str(error)
            return None
        if isinstance(error, RampartError):
            return failed_by(error, self._work)
        return self._internal(error)

    def _may_be_lost_again(self) -> bool:
        return sum(self._store.losses(self._work).values()) + 1 < _PLATFORM_ATTEMPTS

    def _internal(self, error: BaseException) -> Failed:
        _log.critical("unexpected error in a run", exc_info=error, extra={"action": "unexpected-error"})
        message = f"unexpected error in Rampart: {type(error).__name__}: {error}"
        return Failed(work=self._work, blame=Blame.PLATFORM, cause=Cause.INTERNAL, message=message)

    def _ended(self, outcome: Scored | Failed | None) -> RunEnded:
        with self._step(Stage.RECORD):
            try:
                self._record(outcome)
            except RampartError:
                raise
            except Exception as error:  # it would not go better another time
                outcome = self._internal(error)
                self._record(outcome)
        ended = RunEnded(self._work, outcome, dict(self._steps))
        self._observe(ended)
        return ended

    def _release(self, provisioned: Provisioned) -> None:
        try:
            with self._step(Stage.RELEASE):
                self._hosts.release(provisioned)
            self._store.released(self._work)
        except Exception as error:  # the result is safe; the host still ends by its own deadline
            unexpected = None if isinstance(error, RampartError) else error
            _log.error("could not release %s: %s", self._host_id, error, exc_info=unexpected)

    def _on_host(self, start: Provisioned | Pushed | Launched | Finished) -> Pulled:
        if isinstance(start, Provisioned | Pushed):
            start = self._launched(start)
            self._store.training_started(start)
        return self._collected(start)

    def _launched(self, start: Provisioned | Pushed) -> Launched:
        """Push and launch; what an earlier dispatcher did without noting it is found done."""
        provisioned = start.provisioned if isinstance(start, Pushed) else start
        with self._connected(provisioned) as transport:
            if isinstance(start, Provisioned):
                with self._step(Stage.PUSH, after=start):
                    start = push.push(start, transport, again=self._adopted is not None)
            with self._step(Stage.LAUNCH, after=start):
                return launch.launch(start, transport, self._now)

    def _collected(self, start: Launched | Finished) -> Pulled:
        """Wait and pull; a lost connection says nothing about the job, so it is made again while the host lives."""
        provisioned = (start.launched if isinstance(start, Finished) else start).pushed.provisioned
        for attempt in range(_RECONNECTS + 1):
            try:
                with self._connected(provisioned) as transport:
                    if isinstance(start, Launched):
                        with self._step(Stage.WAIT):
                            start = wait.wait(start, transport)
                    with self._step(Stage.PULL, after=start):
                        return pull.pull(start, transport)
            except HostUnreachable as error:
                if self._interruption.asked:
                    raise Interrupted from error
                if self._hosts.is_gone(provisioned):
                    raise HostGone(f"host {self._host_id} ended during the run") from error
                if attempt == _RECONNECTS:
                    raise
                _log.warning("connection to %s lost, reconnecting: %s", self._host_id, error)
                self._interruption.sleep(_RECONNECT_PAUSE_S * (attempt + 1))
        raise AssertionError("unreachable")

    def _record(self, outcome: Scored | Failed | None) -> None:
        match outcome:
            case Scored():
                self._store.record_scored(outcome)
            case Failed():
                self._store.record_failed(outcome)
            case None:
                if self._lost:
                    self._store.requeue(self._claimed, self._lost, Cause.HOST_LOST)
                else:
                    self._store.requeue(self._claimed, "the dispatcher was stopped")

    @contextmanager
    def _connected(self, provisioned: Provisioned) -> Iterator[Transport]:
        transport = self._hosts.connect(provisioned)
        forget = self._interruption.on_ask(transport.close)
        try:
            yield transport
        finally:
            forget()
            transport.close()

    @contextmanager
    def _step(self, stage: Stage, *, after: StageValue | None = None) -> Iterator[None]:
        self._tell(stage, after)
        started = time.monotonic()
        try:
            yield
        finally:
            self._steps[stage] = self._steps.get(stage, 0.0) + time.monotonic() - started

    def _tell(self, stage: Stage, after: StageValue | None) -> None:
        self._observe(StageStarted(self._work, stage, self._host_id))
        try:
            self._store.stage_started(self._work, stage, self._host_id, after=after)
        except LeaseLost:
            raise
        except RampartError as error:  # those who watch miss it, and an adopter does this stage's work once more
            _log.warning("stage %s of %s was not noted: %s", stage, self._work.submission_key, error)
