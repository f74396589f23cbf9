"""Let one thread end the waits of another at once."""

from __future__ import annotations

import os
import threading


class Cancelled(Exception):
    """The build was cancelled."""


class Cancellation:
    """A switch that is thrown once; waits and selectors notice it immediately. Close it when nobody waits any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._thrown = threading.Event()
        self._reader, self._writer = os.pipe()
        self._closed = False

    def cancel(self) -> None:
        """Throw the switch; doing it again or after the end is fine."""
        with self._lock:
            if not self._thrown.is_set() and not self._closed:
                os.write(self._writer, b"x")
            self._thrown.set()

    def check(self) -> None:
        """Raise Cancelled once the switch is thrown."""
        if self._thrown.is_set():
            raise Cancelled

    def wait(self, seconds: float) -> None:
        """Wait for a time; raises Cancelled as soon as the switch is thrown."""
        if self._thrown.wait(seconds):
            raise Cancelled

    def fileno(self) -> int:
        """A descriptor that becomes readable when the switch is thrown."""
        return self._reader

    def close(self) -> None:
        """Give the descriptors back."""
        with self._lock:
            if not self._closed:
                self._closed = True
                os.close(self._reader)
                os.close(self._writer)
