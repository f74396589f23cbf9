"""Give each run the place of one worker of a Dask cluster."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass

from contracts.dask import Scheduler
from contracts.errors import HostUnreachable, RampartError
from contracts.work import Claimed, HostAddress, HostLayout, Provisioned, Work
from runner.dask.cluster import Cluster, Door
from runner.interruption import Interrupted, Interruption, Wish
from runner.ports import Transport
from runner.stages import clean_up

_log = logging.getLogger(__name__)
_PREFIX = "dask-"
_SPARE_S = 3600.0  # beyond a run's own time, for all that comes before and after


@dataclass(frozen=True, slots=True)
class DaskTempo:
    """How patient the pool is, in seconds.

    `gone`: so long none of a machine's workers may be seen before it counts as lost; a worker that is started anew
    takes a few. `dial`: between two tries to reach a scheduler that does not answer.
    """

    gone: float = 30.0
    dial: float = 2.0


DASK_TEMPO = DaskTempo()


class DaskHosts:
    """The host pool that is a Dask cluster: its scheduler says which worker is free, one run has it at a time.

    What a run does on the worker's machine it does as on any host. The machine is what counts: where worker or
    scheduler are started anew, the job goes on there and is found again.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        open_door: Callable[[Scheduler], Door],
        layout: Callable[[Transport], HostLayout],
        user: str,
        interruption: Interruption,
        tempo: DaskTempo = DASK_TEMPO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`layout` finds where the challenge lies on a worker's machine; `user` is whom jobs are launched by there."""
        self._cluster = cluster
        self._open_door = open_door
        self._layout = layout
        self._user = user
        self._interruption = interruption
        self._tempo = tempo
        self._clock = clock
        self._lock = threading.Lock()
        self._door: Door | None = None
        self._runs: set[str] = set()
        self._missing_since: dict[str, float] = {}

    def acquire(self, claimed: Claimed, interruption: Interruption | None = None) -> Provisioned:
        """Wait for a free worker and take its place; where that is broken off the place is given back.

        A place that an earlier dispatcher took for this very run is used. A scheduler that does not answer is waited
        for.
        """
        stop, key = interruption or self._interruption, hold_key(claimed.work)
        self._scale(key)
        said = ""
        try:
            while True:
                try:
                    provisioned = self._held(claimed, key, stop)
                    self._tell_cluster()
                    return provisioned
                except HostUnreachable as error:
                    if stop.asked:
                        raise Interrupted from error
                    if said != str(error):
                        said = str(error)
                        _log.warning("no worker yet: %s", said, extra={"action": "dask-unreachable"})
                stop.sleep(self._tempo.dial)
        except BaseException as error:
            self._scale(key, is_over=True)
            if not (isinstance(error, Interrupted) and stop.wish is Wish.HAND_BACK):
                self._let_go(key)
            raise

    def connect(self, provisioned: Provisioned) -> Transport:
        """Reach the machine through any of its workers. Raises HostUnreachable."""
        machine, work = machine_of(provisioned), provisioned.claimed.work
        self._scale(hold_key(work))
        door = self._opened()
        door.keep(hold_key(work), machine, _limit_s(work))
        return door.transport(machine)

    def is_gone(self, provisioned: Provisioned) -> bool:
        """Whether the scheduler has known no worker on the machine for a while; its silence says nothing."""
        machine = machine_of(provisioned)
        try:
            seen = {worker.machine for worker in self._opened().workers()}
        except HostUnreachable:
            self._missing_since.clear()
            return False
        if machine in seen:
            self._missing_since.pop(machine, None)
            return False
        since = self._missing_since.setdefault(machine, self._clock())
        return self._clock() - since >= self._tempo.gone

    def release(self, provisioned: Provisioned) -> None:
        """End what may still run of the job, remove its folder, give the place back."""
        key = hold_key(provisioned.claimed.work)
        if machine_of(provisioned) not in self._missing_since:
            clean_up.give_back(provisioned, lambda: self.connect(provisioned))
        try:
            self._opened().release(key)
        finally:
            self._scale(key, is_over=True)

    def close(self) -> None:
        """Close the connection, and end a cluster that was started for this loop."""
        with self._lock:
            door, self._door = self._door, None
        if door is not None:
            door.close()
        self._cluster.close()

    def _held(self, claimed: Claimed, key: str, stop: Interruption) -> Provisioned:
        door = self._opened()
        waiting = door.hold(key, _limit_s(claimed.work))
        forget = stop.on_ask(waiting.cancel)
        try:
            machine = self._machine(waiting)
        finally:
            forget()
        transport = door.transport(machine)
        forget = stop.on_ask(transport.close)
        try:
            layout = self._layout(transport)
        finally:
            forget()
            transport.close()
        host = HostAddress(host_id=f"{_PREFIX}{machine}", address=machine, user=self._user)
        return Provisioned(claimed, host, layout, is_standing=True)

    def _machine(self, waiting: Future[str]) -> str:
        try:
            return waiting.result()
        except CancelledError as error:
            raise Interrupted from error

    def _let_go(self, key: str) -> None:
        try:
            self._opened().release(key)
        except RampartError as error:  # it ends by its own limit
            _log.warning("a place was not given back: %s", error, extra={"action": "dask-unreachable"})

    def _opened(self) -> Door:
        """The door, another one where the last one has closed. Raises HostUnreachable."""
        with self._lock:
            if self._door is None or not self._door.is_open:
                if self._door is not None:
                    self._door.close()
                    self._door = None
                self._door = self._open_door(self._cluster.scheduler())
            return self._door

    def _scale(self, key: str, *, is_over: bool = False) -> None:
        with self._lock:
            if is_over == (key not in self._runs):
                return
            (self._runs.discard if is_over else self._runs.add)(key)
        self._tell_cluster()

    def _tell_cluster(self) -> None:
        with self._lock:
            wanted, door = len(self._runs), self._door
        busy = None
        try:
            if door is not None and door.is_open:
                busy = {_host(worker.address) for worker in door.workers() if worker.runs}
        except HostUnreachable as error:
            _log.debug("nobody says which workers have a run: %s", error)
        try:
            self._cluster.scale(wanted, busy)
        except RampartError as error:  # what is there goes on
            _log.warning("the cluster was not scaled: %s", error, extra={"action": "dask-scale"})


def hold_key(work: Work) -> str:
    """What a run is called on the scheduler, for whoever adopts it."""
    return f"{work.event}-{work.submission_id}-{work.attempt}"


def machine_of(provisioned: Provisioned) -> str:
    """The machine a run is on, as its workers name it."""
    return provisioned.host.host_id.removeprefix(_PREFIX)


def _host(address: str) -> str:
    """`10.0.0.5` of `tls://10.0.0.5:8788`."""
    return address.rpartition("/")[2].rpartition(":")[0]


def _limit_s(work: Work) -> float:
    return work.timeout_s + _SPARE_S
