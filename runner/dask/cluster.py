"""What the runner needs of a Dask cluster, wherever it comes from."""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import Future
from typing import Protocol, runtime_checkable

from contracts.dask import DaskWorker, Scheduler
from runner.ports import Transport


class Cluster(Protocol):
    """A scheduler with workers. Every verb may be called from any thread, and raises RampartErrors alone."""

    def scheduler(self) -> Scheduler:
        """Have the cluster up, and tell where its scheduler answers; asked again after a connection broke.

        Raises CloudError, HostUnreachable or AskedWrongly.
        """
        ...

    def scale(self, wanted: int, busy: Collection[str] | None = None) -> None:
        """So many submissions run or wait: have as many workers, within the cluster's own bounds.

        `busy` are the hosts of the workers that have a run of whatever loop, as their addresses name them; None where
        that is not known. Raises CloudError or HostUnreachable.
        """
        ...

    def close(self) -> None:
        """End what was started for this loop alone; doing it twice is fine."""
        ...


@runtime_checkable
class Owned(Protocol):
    """A cluster whose machines somebody can be asked about who knows: EC2."""

    def has_lost(self, host: str) -> bool:
        """Whether the machine at that private address has surely ended. Raises CloudError."""
        ...


class Forward(Protocol):
    """A port of this machine that leads to the scheduler's."""

    @property
    def port(self) -> int: ...

    def close(self) -> None: ...


class Door(Protocol):
    """An open connection to a scheduler. Every verb may raise HostUnreachable: then another one is to be opened."""

    @property
    def is_open(self) -> bool:
        """Whether the scheduler answers still, as far as it was noticed."""
        ...

    def hold(self, key: str, limit_s: float) -> Future[str]:
        """Ask for a free worker's place for `limit_s` seconds at most; its result is the machine the worker is on.

        A place that the run `key` has already is given again.
        """
        ...

    def keep(self, key: str, machine: str, limit_s: float) -> None:
        """Have a run's place on its machine taken still, or again where worker or scheduler were started anew."""
        ...

    def release(self, key: str) -> None:
        """Give a run's place back, or stop waiting for one; doing it twice is fine."""
        ...

    def workers(self) -> tuple[DaskWorker, ...]:
        """Every worker that the scheduler knows now."""
        ...

    def transport(self, machine: str, key: str = "") -> Transport:
        """Use a machine as a host, through the worker whose place the run `key` has where that is there."""
        ...

    def close(self) -> None:
        """End the connection; places that are held stay held."""
        ...
