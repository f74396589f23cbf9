"""Use a Dask cluster that somebody else keeps."""

from __future__ import annotations

from contracts.dask import Scheduler


class SomebodysCluster:
    """The cluster that `worker.dask_scheduler` names: it is neither started nor scaled nor ended here."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def scheduler(self) -> Scheduler:
        return self._scheduler

    def scale(self, wanted: int) -> None:
        """Its workers are its keeper's."""

    def close(self) -> None:
        """Nothing was started."""
