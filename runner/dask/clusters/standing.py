"""Use the Dask cluster that an event's stack declares."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from contracts.dask import Scheduler, TlsFiles
from contracts.dask_machines import SCHEDULER_PORT, DaskRole
from contracts.errors import CloudError, HostUnreachable, RampartError
from contracts.infra import Access
from contracts.instance import Instance
from contracts.work import HostAddress
from runner.dask.certifying import Certifier
from runner.dask.cluster import Forward
from runner.dask.machines import Addresses, DaskMachine, StandingMachines, host_of
from runner.dask.sizing import Bounds, Sizing
from runner.ports import Instances

_log = logging.getLogger(__name__)


class Fleet(Protocol):
    """The fleet of the workers. Both verbs may raise CloudError."""

    def target(self) -> int:
        """How many machines it is to have."""
        ...

    def resize(self, target: int, *, on_demand: int) -> None:
        """Have it launch up to `target` machines, the first `on_demand` on demand; it ends none by itself."""
        ...


@dataclass(frozen=True, slots=True)
class StandingSettings:
    """How the cluster is used. Times are in seconds.

    `on_demand_base` workers are on demand, all of them where it is None. `look_s` is the time between two looks for new
    machines, `resize_s` between two at the fleet's size.
    """

    access: Access
    bounds: Bounds
    on_demand_base: int | None
    look_s: float = 5.0
    resize_s: float = 30.0

    def on_demand(self, target: int) -> int:
        """How many of so many machines are on demand."""
        return target if self.on_demand_base is None else min(self.on_demand_base, target)


@dataclass(frozen=True, slots=True)
class Reach:
    """How the machines are found and reached. `client` gives what a client shows, and `certifier` is None, both where
    the cluster has no encryption."""

    machines: StandingMachines
    addresses: Addresses
    open_forward: Callable[[HostAddress, tuple[str, int]], Forward]
    certifier: Certifier | None
    client: Callable[[], TlsFiles | None]


class StandingCluster:
    """A scheduler and a fleet of workers that were there before the loop, and stay.

    From the first question on a thread certifies machines as they come, and lets the fleet shrink.
    """

    def __init__(
        self,
        settings: StandingSettings,
        reach: Reach,
        *,
        fleet: Fleet,
        instances: Instances,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._reach = reach
        self._fleet = fleet
        self._instances = instances
        self._clock = clock
        self._sizing = Sizing(settings.bounds)
        self._busy: frozenset[str] | None = None
        self._target: int | None = None
        self._told = ""
        self._closed = threading.Event()
        self._resizing = threading.Lock()
        self._opening = threading.Lock()
        self._forward: Forward | None = None
        self._thread: threading.Thread | None = None

    def scheduler(self) -> Scheduler:
        """Have the scheduler certified, and tell where it is dialled: at its own address within the network, else here.

        Raises HostUnreachable while it boots: then it is to be asked again.
        """
        with self._opening:
            machine = self._certified()
            host, port = self._dialled(machine)
            if self._thread is None:
                self._thread = threading.Thread(target=self._attend, name="dask-cluster", daemon=True)
                self._thread.start()
        tls = self._reach.client()
        return Scheduler(f"{'tcp' if tls is None else 'tls'}://{host}:{port}", tls)

    def scale(self, wanted: int, busy: Collection[str] | None = None) -> None:
        """Grow at once; shrink when less has been wanted for a while.

        `busy` are the addresses of the workers with a run, of whatever loop, as Dask or EC2 tells them. A machine is
        ended only where they are told for every run: fewer than are wanted say that not all are known.
        """
        with self._resizing:
            self._sizing.note(wanted, self._clock())
            known = frozenset(host_of(address) for address in busy or ())
            self._busy = known if len(known) >= wanted else None
            if self._target is None or self._settings.bounds.clamp(wanted) > self._target:
                self._grow()

    def have_at_least(self, target: int) -> tuple[int, int]:
        """Have so many workers or more, within the bounds; gives the fleet's size before and after.

        Raises CloudError.
        """
        with self._resizing:
            before, wanted = self._fleet.target(), self._settings.bounds.clamp(target)
            if wanted > before:
                self._fleet.resize(wanted, on_demand=self._settings.on_demand(wanted))
            self._target = max(before, wanted)
            return before, self._target

    def have(self, target: int, busy: Collection[str]) -> tuple[int, int]:
        """Have so many workers and no more, as `have_at_least`; idle ones end, the `busy` private addresses stay."""
        before, after = self.have_at_least(target)
        with self._resizing:
            self._busy = frozenset(busy)
            self._shrink(self._settings.bounds.clamp(target))
            return before, after if self._target is None else self._target

    def has_lost(self, host: str) -> bool:
        """Whether no machine of the cluster has that private address any more. Raises CloudError."""
        return all(each.instance.private_address != host for each in self._reach.machines())

    def close(self) -> None:
        """Have the least number of workers again, unless runs go on, and close the way to the scheduler."""
        if self._closed.is_set():
            return
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        with self._opening:
            forward, self._forward = self._forward, None
        if forward is not None:
            forward.close()
        with self._resizing:
            if self._sizing.wanted == 0:
                self._trying(lambda: self._shrink(self._settings.bounds.least))

    def _certified(self) -> DaskMachine:
        machine = self._reach.machines.scheduler()
        if self._reach.certifier is not None:
            self._reach.certifier.ensure(machine)
        return machine

    def _dialled(self, machine: DaskMachine) -> tuple[str, int]:
        target = (machine.instance.private_address, SCHEDULER_PORT)
        if self._settings.access is Access.INSIDE:
            return target
        if self._closed.is_set():
            raise HostUnreachable("the way to the Dask scheduler is closed")
        if self._forward is None:
            self._forward = self._reach.open_forward(self._reach.addresses.of(machine), target)
        return "127.0.0.1", self._forward.port

    def _attend(self) -> None:
        """Look after the machines until the cluster is closed."""
        resized_at = self._clock()
        while not self._closed.wait(self._settings.look_s):
            if self._reach.certifier is not None:
                self._reach.certifier.look()
            if self._clock() - resized_at >= self._settings.resize_s:
                resized_at = self._clock()
                self._trying(self._settle)

    def _settle(self) -> None:
        with self._resizing:
            if self._sizing.wanted is None:
                return
            self._grow()
            floor = self._sizing.floor(self._clock())
            if floor is not None:
                self._shrink(floor)

    def _grow(self) -> None:
        """Ask how large the fleet is: others may have changed it."""
        target, present = self._settings.bounds.clamp(self._sizing.wanted or 0), self._fleet.target()
        if target > present:
            self._fleet.resize(target, on_demand=self._settings.on_demand(target))
        self._target = max(target, present)

    def _shrink(self, floor: int) -> None:
        """End idle machines, the newest first: the oldest are on demand."""
        busy = self._busy
        if busy is None or self._fleet.target() <= floor:
            return
        workers = [each.instance for each in self._reach.machines() if each.role is DaskRole.WORKER]
        idle = sorted((each for each in workers if each.private_address not in busy), key=_age, reverse=True)
        ended = [each.instance_id for each in idle[: max(0, len(workers) - floor)]]
        target = max(floor, len(workers) - len(ended))
        # first: what is ended must not be replaced
        self._fleet.resize(target, on_demand=self._settings.on_demand(target))
        self._target = target
        if ended:
            self._instances.terminate(ended)
            _log.info("ended %d idle Dask workers, %d stay", len(ended), target, extra={"action": "dask-shrunk"})

    def _trying(self, act: Callable[[], None]) -> None:
        try:
            act()
        except CloudError as error:
            self._tell(error)

    def _tell(self, error: RampartError) -> None:
        if self._told != str(error):
            self._told = str(error)
            _log.warning("%s", error, extra={"action": "dask-cluster"})


def _age(instance: Instance) -> float:
    return instance.launched_at.timestamp()
