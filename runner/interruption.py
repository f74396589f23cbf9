"""Carry the wish to stop, from a signal or from the organiser, to everything that waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum


class Wish(StrEnum):
    """What is to become of the runs that are stopped."""

    END = "end"  # they are ended, and their submissions go back to the queue
    HAND_BACK = "hand-back"  # they go on on their hosts, for whoever adopts them
    CANCEL = "cancel"  # they are ended for good: the organiser wants it
    LEAVE = "leave"  # their host will be taken away: they leave it with what they have finished


class Interrupted(Exception):
    """A wait was broken off because somebody asked to stop."""


class HandedBack(Exception):
    """The run goes on without us: it is neither recorded nor queued again, and keeps its host."""


class Interruption:
    """Set once; ends every sleep and every open connection."""

    def __init__(self, whole: Interruption | None = None) -> None:
        self._whole = whole
        self._asked = threading.Event()
        self._wish: Wish | None = None
        self._lock = threading.Lock()
        self._closers: dict[int, Callable[[], object]] = {}
        self._next = 0

    @property
    def asked(self) -> bool:
        """Whether somebody asked to stop."""
        return self.wish is not None

    @property
    def wish(self) -> Wish | None:
        """What is to become of the runs; None while nobody asked to stop."""
        return self._wish or (self._whole.wish if self._whole else None)

    def ask(self, wish: Wish = Wish.END) -> None:
        """Ask everything to stop; the first wish counts. Not for a signal handler, whose thread may hold the lock."""
        with self._lock:
            self._wish = self._wish or wish
            self._asked.set()
            closers = list(self._closers.values())
        for close in closers:
            close()

    def sleep(self, seconds: float) -> None:
        """Wait, or raise Interrupted as soon as somebody asks to stop."""
        if self._asked.wait(seconds):
            raise Interrupted

    def on_ask(self, close: Callable[[], object]) -> Callable[[], None]:
        """Have `close` called when somebody asks to stop (at once, if that was before); returns how to take it back."""
        with self._lock:
            self._next += 1
            key = self._next
            self._closers[key] = close
            late = self._asked.is_set()
        if late:
            close()
        return lambda: self._forget(key)

    @contextmanager
    def for_one(self) -> Iterator[Interruption]:
        """Give an interruption that can be asked alone, and is asked whenever this one is."""
        one = Interruption(self)
        forget = self.on_ask(lambda: one.ask(self.wish or Wish.END))
        try:
            yield one
        finally:
            forget()

    def _forget(self, key: int) -> None:
        with self._lock:
            self._closers.pop(key, None)
