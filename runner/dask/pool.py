"""Give each run the place of one worker of a Dask cluster."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace

from contracts.dask import Scheduler
from contracts.errors import CommandFailed, HostKeyRefused, HostUnreachable, RampartError
from contracts.work import Claimed, HostAddress, HostLayout, Provisioned, Work
from runner.commands import job_name
from runner.dask.announcing import Announcement
from runner.dask.cluster import Cluster, Door, Owned
from runner.dask.machines import host_of
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
    takes a few. `dial`: between two tries to reach a scheduler that does not answer. `another`: so long a place that
    looked free may take to be given to a run that has one already.
    """

    gone: float = 30.0
    dial: float = 5.0
    another: float = 5.0


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
        announcement: Announcement,
        user: str,
        places_per_run: int = 1,
        interruption: Interruption,
        tempo: DaskTempo = DASK_TEMPO,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`layout` finds where the challenge lies on a worker's machine; `user` is whom jobs are launched by there.

        A run may use `places_per_run`, so many are wanted of the cluster for each.
        """
        self._cluster = cluster
        self._open_door = open_door
        self._layout = layout
        self._announcement = announcement
        self._user = user
        self._places_per_run = places_per_run
        self._interruption = interruption
        self._tempo = tempo
        self._clock = clock
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._door: Door | None = None
        self._runs: set[str] = set()
        self._missing_since: dict[str, float] = {}
        self._hosts: dict[str, str] = {}  # by machine, as the address of its worker named it last
        self._left: dict[
            str, list[Provisioned]
        ] = {}  # what may go on on machines that were lost, should they come back

    def acquire(self, claimed: Claimed, interruption: Interruption | None = None) -> Provisioned:
        """Wait for a free worker and take its place; where that is broken off the place is given back.

        A place that an earlier dispatcher took for this very run is used. A scheduler that does not answer is waited
        for.
        """
        stop, key = interruption or self._interruption, job_name(claimed.work)
        self._scale(claimed.work)
        said = ""
        try:
            while True:
                try:
                    provisioned = self._held(claimed, key, stop)
                    self._tell_cluster()
                    return provisioned
                except HostKeyRefused:
                    raise
                except HostUnreachable as error:
                    if stop.asked:
                        raise Interrupted from error
                    if said != str(error):
                        said = str(error)
                        _log.warning("no worker yet: %s", said, extra={"action": "dask-unreachable"})
                stop.sleep(self._tempo.dial)
        except BaseException as error:
            self._scale(claimed.work, is_over=True)
            if not (isinstance(error, Interrupted) and stop.wish is Wish.HAND_BACK):
                self._let_go(key)
            raise

    def acquire_another(self, claimed: Claimed) -> Provisioned | None:
        """Take the place of a worker that is free now; None where none is, or nobody can tell."""
        key = job_name(claimed.work)
        try:
            door = self._opened()
            workers = door.workers()
            is_ours = any(key in worker.runs for worker in workers)  # from before, for this very share
            if not is_ours and all(worker.runs for worker in workers):
                return None
            waiting = door.hold(key, _limit_s(claimed.work))
            machine = waiting.result(self._tempo.another)
            return self._provisioned(claimed, door, machine, self._interruption)
        except (HostUnreachable, TimeoutError):  # another run was faster
            self._let_go(key)
            return None
        except BaseException:
            self._let_go(key)
            raise

    def connect(self, provisioned: Provisioned) -> Transport:
        """Reach the machine through any of its workers. Raises HostUnreachable."""
        machine, work = machine_of(provisioned), provisioned.claimed.work
        self._scale(work)
        door = self._opened()
        door.keep(_key_of(provisioned), machine, _limit_s(work))
        self._missing_since.pop(machine, None)
        return door.transport(machine, _key_of(provisioned))

    def is_gone(self, provisioned: Provisioned) -> bool:
        """Whether the scheduler has known no worker on the machine for a while; its silence says nothing.

        That is not waited for where the owner of the machine knows that it has ended. Raises CloudError.
        """
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
        return self._clock() - since >= self._tempo.gone or self._has_ended(machine)

    def release(self, provisioned: Provisioned) -> None:
        """End what may still run of the job, remove its folder, give the place back."""
        key, machine = _key_of(provisioned), machine_of(provisioned)
        if machine in self._missing_since:
            with self._lock:
                self._left.setdefault(machine, []).append(provisioned)
        else:
            clean_up.give_back(provisioned, lambda: self.connect(provisioned))
        try:
            self._opened().release(key)
        finally:
            self._scale(provisioned.claimed.work, is_over=True)

    def close(self) -> None:
        """Close the connection, and end a cluster that was started for this loop."""
        with self._opening:
            door, self._door = self._door, None
            self._announcement.withdraw()
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
        return self._provisioned(claimed, door, machine, stop)

    def _provisioned(self, claimed: Claimed, door: Door, machine: str, stop: Interruption) -> Provisioned:
        transport = door.transport(machine, job_name(claimed.work))
        forget = stop.on_ask(transport.close)
        try:
            self._clear(machine, transport)
            layout = self._layout(transport)
        finally:
            forget()
            transport.close()
        # a host of a cluster is addressed by the name under which its place is held
        host = HostAddress(host_id=f"{_PREFIX}{machine}", address=job_name(claimed.work), user=self._user)
        return Provisioned(claimed, host, layout, is_standing=True)

    def _clear(self, machine: str, transport: Transport) -> None:
        """End what lost runs have left on a machine that has come back."""
        self._missing_since.pop(machine, None)
        with self._lock:
            left = self._left.pop(machine, [])
        try:
            while left:
                self._clean_up(left[0], transport)
                del left[0]
        finally:  # it may be gone again
            if left:
                with self._lock:
                    self._left.setdefault(machine, []).extend(left)

    def _clean_up(self, provisioned: Provisioned, transport: Transport) -> None:
        try:
            clean_up.clean_up(provisioned, transport)
        except CommandFailed as error:
            _log.error("could not clean up after a lost run: %s", error, extra={"action": "clean-up-failed"})

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
        with self._opening:
            if self._door is None or not self._door.is_open:
                if self._door is not None:
                    self._door.close()
                    self._door = None
                scheduler = self._cluster.scheduler()
                self._door = self._open_door(scheduler)
                self._announcement.make(scheduler)
            return self._door

    def _scale(self, work: Work, *, is_over: bool = False) -> None:
        """Count a run from its first place to its last: shares of its folds are its own."""
        key = job_name(replace(work, share=()))
        with self._lock:
            if is_over and not work.share:
                self._runs.discard(key)
            elif not is_over:
                if key in self._runs:
                    return
                self._runs.add(key)
        self._tell_cluster()

    def _has_ended(self, machine: str) -> bool:
        host = self._hosts.get(machine)
        return host is not None and isinstance(self._cluster, Owned) and self._cluster.has_lost(host)

    def _tell_cluster(self) -> None:
        with self._lock:
            wanted, door = len(self._runs) * self._places_per_run, self._door
        busy = None
        try:
            if door is not None and door.is_open:
                workers = door.workers()
                self._hosts.update((worker.machine, host_of(worker.address)) for worker in workers)
                busy = {host_of(worker.address) for worker in workers if worker.runs}
        except HostUnreachable as error:
            _log.debug("nobody says which workers have a run: %s", error)
        try:
            self._cluster.scale(wanted, busy)
        except RampartError as error:  # what is there goes on
            _log.warning("the cluster was not scaled: %s", error, extra={"action": "dask-scale"})


def machine_of(provisioned: Provisioned) -> str:
    """The machine a run is on, as its workers name it."""
    return provisioned.host.host_id.removeprefix(_PREFIX)


def _key_of(provisioned: Provisioned) -> str:
    """What the place is held by: several jobs of one run may follow one another in it, under names of their own."""
    return provisioned.host.address


def _limit_s(work: Work) -> float:
    return work.timeout_s + _SPARE_S
