"""Keep a job's output within bounds."""

from __future__ import annotations

import contextlib
from collections import deque
from pathlib import Path

LOG_HEAD_BYTES = 512 * 1024
LOG_TAIL_BYTES = 512 * 1024


class CappedLog:
    """A log of bounded size: its head is on disk at once, its tail when it ends, what lies between is counted."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb", buffering=0)
        self.size = 0
        self.room = LOG_HEAD_BYTES
        self.tail = deque()  # type: deque[bytes]
        self.tail_size = 0
        self.dropped = 0

    def feed(self, data: bytes) -> None:
        """Take a piece of output."""
        self.size += len(data)
        head, rest = data[: self.room], data[self.room :]
        if head:
            self._put(head)
            self.room -= len(head)
        if rest:
            self.tail.append(rest)
            self.tail_size += len(rest)
        while self.tail and self.tail_size - len(self.tail[0]) >= LOG_TAIL_BYTES:
            gone = len(self.tail.popleft())
            self.tail_size -= gone
            self.dropped += gone

    def finish(self) -> int:
        """Write the tail; gives the number of bytes that were dropped."""
        if self.dropped:
            self._put(f"\n[... {self.dropped} bytes of output dropped ...]\n".encode())
        for piece in self.tail:
            self._put(piece)
        self.file.close()
        return self.dropped

    def _put(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the supervision
            self.file.write(data)
