"""Begin and end the faults of a running cloud."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from localcloud.injections import Fault, Freeze, Injections, Partition


class StillHosts(Protocol):
    """Hosts that can be made to stand still."""

    def freeze(self, instance_id: str, *, processes: bool) -> None: ...

    def thaw(self, instance_id: str) -> None: ...


class Injector:
    """Faults of the API need only be known; those of a host have to be done to it, and taken back."""

    def __init__(self, injections: Injections, hosts: Callable[[], StillHosts]) -> None:
        self._injections = injections
        self._hosts = hosts
        self._timers: dict[str, threading.Timer] = {}

    def inject(self, fault: Fault, *, count: int | None = None, seconds: float | None = None) -> str:
        """Begin a fault; gives the name to undo it by. Raises AskedWrongly, or UnknownName for an unknown host."""
        name = self._injections.add(fault, count=count, seconds=seconds)
        if isinstance(fault, Freeze | Partition):
            try:
                self._hosts().freeze(fault.instance_id, processes=isinstance(fault, Freeze))
            except BaseException:
                self._injections.remove(name)
                raise
            if seconds is not None:
                self._end_after(seconds, name, fault)
        return name

    def undo(self, name: str) -> None:
        """End a fault before its time; `all` ends every one. Raises UnknownName."""
        for each in [injection.name for injection in self._injections.active()] if name == "all" else [name]:
            fault = self._injections.remove(each)
            if (timer := self._timers.pop(each, None)) is not None:
                timer.cancel()
            self._take_back(fault)

    def close(self) -> None:
        for timer in list(self._timers.values()):
            timer.cancel()

    def _end_after(self, seconds: float, name: str, fault: Freeze | Partition) -> None:
        def end() -> None:
            self._timers.pop(name, None)
            self._take_back(fault)

        timer = self._timers[name] = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()

    def _take_back(self, fault: Fault) -> None:
        if isinstance(fault, Freeze | Partition) and not self._is_still(fault.instance_id):
            self._hosts().thaw(fault.instance_id)

    def _is_still(self, instance_id: str) -> bool:
        """Whether another fault holds the host."""
        held = [fault.instance_id for fault in self._injections.of(Freeze)]
        held += [fault.instance_id for fault in self._injections.of(Partition)]
        return instance_id in held
