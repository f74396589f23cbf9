"""Talk with one scoring process."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

_MOST_LINE_BYTES = 64 * 2**20
_BLOCK_BYTES = 2**20
_LAST_WORDS_S = 5.0


class Lost(Exception):
    """The process ended, or said what it should not; the text is one clause."""


class Silent(Lost):
    """The process did not answer in its time, and was ended."""


class Conversation:
    """One process, which answers line by line. Not for several threads at a time."""

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        """Start it in a session of its own, with nothing of ours but its standard input and output. Raises Lost."""
        try:
            self._process = subprocess.Popen(
                list(argv), env=dict(environ), cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, start_new_session=True, umask=0o077,
            )  # fmt: skip
        except OSError as error:
            raise Lost(f"{argv[0]} cannot be run: {error.strerror}") from error
        assert self._process.stdout is not None  # noqa: S101 - it was asked for
        self._output = self._process.stdout.fileno()
        os.set_blocking(self._output, False)
        self._heard = bytearray()

    @property
    def is_over(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def ask(self, question: Mapping[str, Any], limit_s: float) -> dict[str, Any]:
        """Put a question and wait for the answer. Raises Lost or Silent."""
        assert self._process.stdin is not None  # noqa: S101 - it was asked for
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._lost() from error
        return self.answer(limit_s)

    def answer(self, limit_s: float) -> dict[str, Any]:
        """Wait for the next answer. Raises Lost or Silent."""
        deadline = time.monotonic() + limit_s
        while (end := self._heard.find(b"\n")) < 0:
            if len(self._heard) > _MOST_LINE_BYTES:
                raise Lost("it said more than an answer has")
            self._heard += self._more(deadline)
        line, self._heard = bytes(self._heard[:end]), self._heard[end + 1 :]
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise Lost("it said what is no answer") from error
        if not isinstance(answer, dict):
            raise Lost("it said what is no answer")
        return answer

    def take(self, size: int, file: BinaryIO, limit_s: float) -> None:
        """Write the `size` bytes that follow an answer to a file. Raises Lost or Silent."""
        deadline = time.monotonic() + limit_s
        while size:
            block = bytes(self._heard) or self._more(deadline)
            file.write(block[:size])
            self._heard = bytearray(block[size:])
            size -= min(size, len(block))

    def end(self) -> None:
        """End it with all it started; doing it twice is fine."""
        with suppress(ProcessLookupError, PermissionError):
            if self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _more(self, deadline: float) -> bytes:
        with selectors.DefaultSelector() as selector:
            selector.register(self._output, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                if selector.select(left):
                    block = os.read(self._output, _BLOCK_BYTES)
                    if not block:
                        raise self._lost()
                    return block
        self.end()
        raise Silent("it did not answer in its time")

    def _lost(self) -> Lost:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LAST_WORDS_S)
        code = self._process.returncode
        if code is None:
            return Lost("it closed its output")
        if code < 0:
            return Lost(f"it was ended by {signal.Signals(-code).name}")
        return Lost(f"it ended with exit code {code}")
