"""Carry one claimed submission to its end by a worker of the organiser's own."""

from __future__ import annotations

from contracts.work import (
    Adopted,
    Claimed,
    Failed,
    Finished,
    Launched,
    Provisioned,
    Pulled,
    Pushed,
    Scored,
    Spread,
    provisioned_of,
)
from runner.flow import Run, Surroundings
from runner.interruption import Interruption, Wish
from runner.judging.retry import BackToQueue
from runner.progress import RunEnded, Stage
from runner.workers import driving
from runner.workers.own import OwnWorkers


class OwnRun(Run):
    """A run whose stages are a worker's methods. The worker dies with this process, so nobody can adopt the run."""

    def __init__(
        self,
        start: Claimed | Adopted,
        around: Surroundings,
        interruption: Interruption,
        *,
        workers: OwnWorkers,
        interval_s: float,
    ) -> None:
        super().__init__(start, around, interruption)
        self._workers = workers
        self._interval_s = interval_s

    def to_its_end(self) -> RunEnded:
        """As any run; and whoever owns it in the end, its worker is torn down."""
        try:
            return super().to_its_end()
        finally:
            self._workers.tear_down(self._work)

    def _on_host(self, start: Provisioned | Spread | Pushed | Launched | Finished) -> Pulled:
        provisioned = provisioned_of(start)
        assert provisioned is not None  # noqa: S101 - only a claimed run is without
        worker = self._workers.worker_of(provisioned)
        with self._step(Stage.LAUNCH, after=provisioned):
            launched = driving.launch(worker, provisioned, self._now)
        self._recorder.persist(lambda: self._store.training_started(launched))
        with self._step(Stage.WAIT):
            finished = driving.wait(worker, launched, self._interruption.sleep, interval_s=self._interval_s)
        with self._step(Stage.PULL):
            return driving.collect(worker, finished, redact=self._redact)

    def _outcome_of(self, error: Exception) -> Scored | Failed | BackToQueue:
        if self._interruption.wish is Wish.HAND_BACK:
            return self._unharmed("the dispatcher was stopped, and with it the run's worker")
        return super()._outcome_of(error)
