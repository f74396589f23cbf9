"""Carry one claimed submission through its stages: provision, push, launch, wait, pull, score, record, release."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from contracts.errors import HostGone, HostUnreachable, RampartError
from contracts.work import Blame, Cause, Claimed, Failed, Launched, Provisioned, Pulled, Scored
from runner.faults import failed_by
from runner.interruption import Interrupted, Interruption
from runner.ports import Hosts, Store, Transport
from runner.progress import Observer, RunEnded, Stage, StageStarted
from runner.stages import launch, pull, push, scores, wait

_log = logging.getLogger(__name__)
_RECONNECTS = 5
_RECONNECT_PAUSE_S = 2.0


class Run:
    """One run's way through the stages, with what it needs at hand."""

    def __init__(
        self,
        claimed: Claimed,
        *,
        hosts: Hosts,
        store: Store,
        interruption: Interruption,
        now: Callable[[], datetime],
        observe: Observer,
    ) -> None:
        self._claimed = claimed
        self._work = claimed.work
        self._hosts = hosts
        self._store = store
        self._interruption = interruption
        self._now = now
        self._observe = observe
        self._steps: dict[Stage, float] = {}
        self._host_id = ""

    def to_its_end(self) -> RunEnded:
        """Run every stage, record what came of it and give the host back.

        A failure is recorded with its blame; an interruption gives the submission back to the queue.
        """
        try:
            with self._step(Stage.PROVISION):
                provisioned = self._hosts.acquire(self._claimed)
        except Exception as error:
            return self._ended(self._outcome_of(error))
        self._host_id = provisioned.host.host_id
        try:
            return self._ended(self._outcome(provisioned))
        finally:
            self._release(provisioned)

    def _outcome(self, provisioned: Provisioned) -> Scored | Failed | None:
        try:
            pulled = self._on_host(provisioned)
            with self._step(Stage.SCORE):
                return scores.score(pulled)
        except Exception as error:
            return self._outcome_of(error)

    def _outcome_of(self, error: BaseException) -> Failed | None:
        if self._interruption.asked:  # what broke because everything was told to stop is no failure of the run
            return None
        if isinstance(error, RampartError):
            return failed_by(error, self._work)
        _log.critical("unexpected error in a run", exc_info=error, extra={"action": "unexpected-error"})
        message = f"unexpected error in Rampart: {type(error).__name__}: {error}"
        return Failed(work=self._work, blame=Blame.PLATFORM, cause=Cause.INTERNAL, message=message)

    def _ended(self, outcome: Scored | Failed | None) -> RunEnded:
        with self._step(Stage.RECORD):
            self._record(outcome)
        ended = RunEnded(self._work, outcome, dict(self._steps))
        self._observe(ended)
        return ended

    def _release(self, provisioned: Provisioned) -> None:
        try:
            with self._step(Stage.RELEASE):
                self._hosts.release(provisioned)
        except Exception as error:  # the result is safe; the host still ends by its own deadline
            unexpected = None if isinstance(error, RampartError) else error
            _log.error("could not release %s: %s", self._host_id, error, exc_info=unexpected)

    def _on_host(self, provisioned: Provisioned) -> Pulled:
        with self._connected(provisioned) as transport:
            with self._step(Stage.PUSH):
                pushed = push.push(provisioned, transport)
            with self._step(Stage.LAUNCH):
                launched = launch.launch(pushed, transport, self._now)
        self._store.training_started(launched)
        return self._collected(launched)

    def _collected(self, launched: Launched) -> Pulled:
        """Wait and pull; a lost connection says nothing about the job, so it is made again while the host lives."""
        provisioned = launched.pushed.provisioned
        for attempt in range(_RECONNECTS + 1):
            try:
                with self._connected(provisioned) as transport:
                    with self._step(Stage.WAIT):
                        finished = wait.wait(launched, transport)
                    with self._step(Stage.PULL):
                        return pull.pull(finished, transport)
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
    def _step(self, stage: Stage) -> Iterator[None]:
        self._tell(stage)
        started = time.monotonic()
        try:
            yield
        finally:
            self._steps[stage] = self._steps.get(stage, 0.0) + time.monotonic() - started

    def _tell(self, stage: Stage) -> None:
        self._observe(StageStarted(self._work, stage, self._host_id))
        try:
            self._store.stage_started(self._work, stage, self._host_id)
        except RampartError as error:  # only those who watch miss it
            _log.warning("stage %s of %s was not noted: %s", stage, self._work.submission_key, error)
