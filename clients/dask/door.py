"""Take places of a Dask cluster's workers, and use their machines as hosts."""

from __future__ import annotations

import re
from concurrent.futures import Future
from typing import Any

from clients.dask.connection import Connection, Walled, unwalled
from clients.dask.transport import DaskTransport
from contracts.dask import DaskWorker, Scheduler
from contracts.errors import HostUnreachable

_MACHINE = re.compile(r"[0-9a-f]{32}")
_WORD = re.compile(r"[!-~]{1,200}")  # an address, or the key of a run


class Door:
    """The cluster behind one scheduler. Every verb may raise HostUnreachable; then open another one."""

    def __init__(self, scheduler: Scheduler, *, walled: Walled = unwalled) -> None:
        """Connect; `walled` gives the command line of Dask's client with walls around it. Raises HostUnreachable."""
        self._connection = Connection(scheduler, walled=walled)

    @property
    def is_open(self) -> bool:
        """Whether the scheduler answers still, as far as it was noticed."""
        return self._connection.is_open

    def hold(self, key: str, limit_s: float) -> Future[str]:
        """Ask for a free worker's place for `limit_s` seconds at most; its result is the machine the worker is on.

        A place that the run `key` has already is given again.
        """
        asked = self._connection.begin("hold", key=key, limit_s=limit_s)
        machine: Future[str] = Future()

        def tell(answer: Future[Any]) -> None:
            if not machine.set_running_or_notify_cancel():
                return
            try:
                machine.set_result(_machine(answer.result().header.get("machine")))
            except Exception as error:
                machine.set_exception(error)

        asked.add_done_callback(tell)
        return machine

    def keep(self, key: str, machine: str, limit_s: float) -> None:
        """Have a run's place on its machine taken still, or again where worker or scheduler were started anew."""
        self._connection.ask("keep", key=key, machine=machine, limit_s=limit_s)

    def release(self, key: str) -> None:
        """Give a run's place back, or stop waiting for one; doing it twice is fine."""
        self._connection.ask("release", key=key)

    def workers(self) -> tuple[DaskWorker, ...]:
        """Every worker that the scheduler knows now."""
        told = self._connection.ask("workers").header.get("workers")
        return tuple(_worker(one) for one in _list(told))

    def transport(self, machine: str, key: str = "", *, is_last: bool = False) -> DaskTransport:
        """Use a machine as a host, through the worker whose place the run `key` has where that is there.

        With `is_last` this connection is closed with the transport.
        """
        return DaskTransport(self._connection, machine, key, is_last=is_last)

    def close(self) -> None:
        """End the connection; places that are held stay held."""
        self._connection.close()


def _worker(told: object) -> DaskWorker:
    if not isinstance(told, dict):
        raise _no_answer()
    runs = tuple(_word(run) for run in _list(told.get("runs")))
    return DaskWorker(_word(told.get("address")), _machine(told.get("machine")), runs)


def _list(told: object) -> list[object]:
    if not isinstance(told, list):
        raise _no_answer()
    return told


def _word(told: object) -> str:
    if not isinstance(told, str) or not _WORD.fullmatch(told):
        raise _no_answer()
    return told


def _no_answer() -> HostUnreachable:
    return HostUnreachable("the Dask cluster says what is no answer")


def _machine(told: object) -> str:
    """A stranger's word goes into names and logs: it must be one of our own making."""
    if not isinstance(told, str) or not _MACHINE.fullmatch(told):
        raise HostUnreachable("a Dask worker does not say which machine it is on")
    return told
