"""A Dask cluster in memory, as its pool sees it: workers on machines, places, doors that close."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from clients.memory import Call, MemoryHost
from contracts.dask import DaskWorker, Scheduler, TlsFiles
from contracts.errors import HostUnreachable, RampartError
from runner.ports import Transport

PATIENCE_S = 10.0
SCHEDULER = Scheduler("tls://10.0.0.4:8786", TlsFiles(Path("/ca.pem"), Path("/client.pem"), Path("/key.pem")))


@dataclass
class DaskDouble:
    """Its scheduler gives the first free place to whoever asked first; `refusals` are raised by those who dial it."""

    workers: list[DaskWorker] = field(default_factory=list)
    waiting: dict[str, Future[str]] = field(default_factory=dict)
    hosts: dict[str, MemoryHost] = field(default_factory=dict)
    refusals: list[RampartError] = field(default_factory=list)
    doors: list[DoorDouble] = field(default_factory=list)
    is_silent: bool = False
    ends: Callable[[Call], int] = lambda _: 0
    """What a machine does where a job is to be ended."""
    asked: list[tuple[str, ...]] = field(default_factory=list)
    scaled: list[tuple[int, Collection[str] | None]] = field(default_factory=list)
    is_closed: bool = False
    _asked: threading.Condition = field(default_factory=threading.Condition)

    def start_worker(self, address: str, machine: str) -> None:
        self.workers.append(DaskWorker(address, machine))
        self.hosts.setdefault(machine, MemoryHost({"sh": lambda call: self.ends(call), "true": lambda _: 0}))
        self.give_places()

    def until_waiting(self, key: str) -> None:
        with self._asked:
            assert self._asked.wait_for(lambda: key in self.waiting, PATIENCE_S)

    def await_place(self, key: str, waiting: Future[str]) -> None:
        with self._asked:
            self.waiting[key] = waiting
            self._asked.notify_all()

    def end_machine(self, machine: str) -> None:
        self.workers = [worker for worker in self.workers if worker.machine != machine]
        self.hosts[machine].lose()

    def give_places(self) -> None:
        with self._asked:
            free = [worker for worker in self.workers if not worker.runs]
            first = list(self.waiting)[: len(free)]
            given = [(worker, key, self.waiting.pop(key)) for worker, key in zip(free, first, strict=False)]
            for worker, key, _ in given:
                self.put(worker, key)
        for worker, _, waiting in given:
            if waiting.set_running_or_notify_cancel():
                waiting.set_result(worker.machine)

    def put(self, worker: DaskWorker, *keys: str) -> None:
        self.workers[self.workers.index(worker)] = DaskWorker(worker.address, worker.machine, keys)

    def holder(self, key: str) -> DaskWorker | None:
        return next((worker for worker in self.workers if key in worker.runs), None)

    def open_door(self, scheduler: Scheduler) -> DoorDouble:
        assert scheduler == SCHEDULER
        if self.refusals:
            raise self.refusals.pop(0)
        self.doors.append(DoorDouble(self))
        return self.doors[-1]

    def scheduler(self) -> Scheduler:
        return SCHEDULER

    def scale(self, wanted: int, busy: Collection[str] | None = None) -> None:
        self.scaled.append((wanted, busy))

    def close(self) -> None:
        self.is_closed = True


class DoorDouble:
    """One connection to it."""

    def __init__(self, dask: DaskDouble) -> None:
        self._dask = dask
        self.is_open = True

    def hold(self, key: str, limit_s: float) -> Future[str]:
        self._ask("hold", key)
        waiting: Future[str] = Future()
        if (worker := self._dask.holder(key)) is not None:
            waiting.set_result(worker.machine)
        else:
            self._dask.await_place(key, waiting)
            self._dask.give_places()
        return waiting

    def keep(self, key: str, machine: str, limit_s: float) -> None:
        self._ask("keep", key, machine)
        if all(worker.machine != machine for worker in self._dask.workers):
            raise HostUnreachable("no worker is on that machine")

    def release(self, key: str) -> None:
        self._ask("release", key)
        self._dask.waiting.pop(key, None)
        if (worker := self._dask.holder(key)) is not None:
            self._dask.put(worker)
            self._dask.give_places()

    def workers(self) -> tuple[DaskWorker, ...]:
        self._ask()
        return tuple(self._dask.workers)

    def transport(self, machine: str, key: str = "") -> Transport:
        return self._dask.hosts[machine].connect()

    def close(self) -> None:
        self.is_open = False

    def _ask(self, *words: str) -> None:
        if not self.is_open or self._dask.is_silent:
            raise HostUnreachable("the Dask scheduler does not answer")
        if words:
            self._dask.asked.append(words)


@dataclass
class OwnedDaskDouble(DaskDouble):
    """One whose machines' owner knows which of them have ended."""

    lost: set[str] = field(default_factory=set)

    def has_lost(self, host: str) -> bool:
        return host in self.lost
