"""Write what a script prints into the log, line by line and within bounds."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from enum import StrEnum

MOST_LINES = 20_000
"""Of one script in the log; the rest is read and dropped."""
_MOST_KEPT_BYTES = 1_000_000
_LONGEST_BYTES = 4_000
_UNWANTED = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")

Log = Callable[[str], None]


class Stream(StrEnum):
    """What a line of the log begins with."""

    STDOUT = "Stdout"
    STDERR = "Stderr"


class Output:
    """The outputs of one script, taken from two threads; without a log the beginning is only kept.

    A quiet one logs the standard error alone.
    """

    def __init__(self, log: Log | None, *, keeps_quiet: bool = False) -> None:
        self._log = log
        self._keeps_quiet = keeps_quiet
        self._lock = threading.Lock()
        self._begun = {Stream.STDOUT: b"", Stream.STDERR: b""}
        self._kept = bytearray()
        self._lines = 0

    def take(self, stream: Stream, chunk: bytes) -> None:
        """Take a piece as it comes."""
        with self._lock:
            if stream is Stream.STDOUT:
                self._kept += chunk[: max(0, _MOST_KEPT_BYTES - len(self._kept))]
            if self._log is None or (self._keeps_quiet and stream is Stream.STDOUT):
                return
            # a progress bar writes its next state behind a carriage return
            *whole, begun = (self._begun[stream] + chunk).replace(b"\r", b"\n").split(b"\n")
            for line in whole:
                self._write(stream, self._cut(stream, line))
            self._begun[stream] = self._cut(stream, begun)

    def end(self) -> None:
        """Write what no line end followed."""
        with self._lock:
            for stream, line in self._begun.items():
                if self._log is not None:
                    self._write(stream, line)
                self._begun[stream] = b""

    @property
    def stdout(self) -> bytes:
        """The beginning of the standard output, a megabyte at most."""
        return bytes(self._kept)

    def _cut(self, stream: Stream, line: bytes) -> bytes:
        """Write all of a long line but its last piece."""
        while len(line) > _LONGEST_BYTES:
            self._write(stream, line[:_LONGEST_BYTES])
            line = line[_LONGEST_BYTES:]
        return line

    def _write(self, stream: Stream, raw: bytes) -> None:
        line = _UNWANTED.sub("", raw.decode("utf-8", "replace")).rstrip()
        if not line or self._log is None:
            return
        self._lines += 1
        if self._lines <= MOST_LINES:
            self._log(f"{stream}: {line}")
        elif self._lines == MOST_LINES + 1:
            self._log(f"Stdout: [what this command prints beyond {MOST_LINES} lines is not kept]")
