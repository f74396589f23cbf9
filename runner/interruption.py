"""Carry the wish to stop from a signal to everything that waits."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Interrupted(Exception):
    """The run was ended because the dispatcher is shutting down."""


class Interruption:
    """Set once; ends every sleep and every open connection."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._lock = threading.Lock()
        self._closers: dict[int, Callable[[], None]] = {}
        self._next = 0

    @property
    def asked(self) -> bool:
        """Whether somebody asked to stop."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Ask everything to stop. Not for a signal handler, whose thread may hold the lock; doing it twice is fine."""
        with self._lock:
            self._asked.set()
            closers = list(self._closers.values())
        for close in closers:
            close()

    def sleep(self, seconds: float) -> None:
        """Wait, or raise Interrupted as soon as somebody asks to stop."""
        if self._asked.wait(seconds):
            raise Interrupted

    def on_ask(self, close: Callable[[], None]) -> Callable[[], None]:
        """Have `close` called when somebody asks to stop (at once, if that was before); returns how to take it back."""
        with self._lock:
            self._next += 1
            key = self._next
            self._closers[key] = close
            late = self._asked.is_set()
        if late:
            close()
        return lambda: self._forget(key)

    def _forget(self, key: int) -> None:
        with self._lock:
            self._closers.pop(key, None)
