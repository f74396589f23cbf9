"""Carry an SSH connection's bytes over a socket, a channel or a program, and end it when the other side is silent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, Protocol

from contracts.errors import ToolMissing

_LAST_WORDS_BYTES = 2000
_FAREWELL_S = 1.0


class Wire(Protocol):
    """What paramiko wants of a socket; it may also be a channel of another connection."""

    def send(self, data: bytes, /) -> int: ...

    def recv(self, size: int, /) -> bytes: ...

    def settimeout(self, timeout: float | None, /) -> None: ...

    def close(self) -> None: ...


class Line:
    """A wire that ends when nothing has come over it for too long.

    `cut` ends it so that whoever reads sees the end at once. What paramiko asks of a socket, it asks of this.
    """

    def __init__(self, wire: Wire, cut: Callable[[], object]) -> None:
        self._wire = wire
        self._cut = cut
        self._heard_at = float("inf")
        self._silence_s = float("inf")
        self._closed = False  # paramiko reads it by this name, as a socket has it

    def recv(self, size: int) -> bytes:
        """Read as usual; the end of file once the other side has been silent for too long."""
        try:
            data = self._wire.recv(size)
        except TimeoutError:
            if self._is_silent():
                return b""
            raise
        self._heard_at = time.monotonic()
        return data

    def send(self, data: Any) -> int:
        """Write as usual; ConnectionError once the other side has been silent for too long."""
        try:
            return self._wire.send(data)
        except TimeoutError:
            if self._is_silent():
                raise ConnectionError("the other side is silent") from None
            raise

    def settimeout(self, timeout: float | None) -> None:
        """Let a read or write look up after so many seconds."""
        self._wire.settimeout(timeout)

    def watch(self, silence_s: float) -> None:
        """Start to count silence from now on."""
        self._silence_s = silence_s
        self._heard_at = time.monotonic()

    def hang_up(self) -> None:
        """End the line from any thread; who reads from it sees its end at once."""
        with suppress(Exception):  # it has ended already
            self._cut()

    def close(self) -> None:
        """Give back what the line holds. Doing it twice is fine."""
        self._closed = True
        with suppress(Exception):  # a channel says goodbye, over a connection that may be dead
            self._wire.close()

    def last_words(self) -> str:
        """What carries the line said about its end, where it can say anything."""
        return ""

    def _is_silent(self) -> bool:
        return time.monotonic() - self._heard_at > self._silence_s


class _ProgramLine(Line):
    """A line that a program keeps up, and that ends with it."""

    def __init__(self, wire: socket.socket, program: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
        super().__init__(wire, lambda: wire.shutdown(socket.SHUT_RDWR))
        self._program = program
        self._errors = errors
        self._said = ""
        self._ending = threading.Lock()

    def close(self) -> None:
        """End the program with whatever it has started."""
        super().close()
        with self._ending:
            if self._errors.closed:
                return
            self._signal(signal.SIGTERM)
            if not self._has_ended():
                self._signal(signal.SIGKILL)
                self._program.wait()
            self._said = _last_line(self._errors)
            self._errors.close()

    def last_words(self) -> str:
        """The last line the program wrote to its standard error, if it has ended."""
        with self._ending:
            if not self._errors.closed and self._has_ended():
                self._said = _last_line(self._errors)
            return self._said

    def _has_ended(self) -> bool:
        with suppress(subprocess.TimeoutExpired):
            self._program.wait(_FAREWELL_S)
        return self._program.returncode is not None

    def _signal(self, number: signal.Signals) -> None:
        if self._program.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self._program.pid, number)


def _last_line(file: IO[bytes]) -> str:
    """It may repeat what a stranger's machine answered: nothing in it may steer a terminal."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _LAST_WORDS_BYTES))
    lines = [line.strip() for line in file.read().decode("utf-8", errors="replace").splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    return "".join(letter for letter in last if letter.isprintable())


def dial(address: str, port: int, timeout_s: float) -> Line:
    """Open a TCP connection that sends what it is given at once: else every round trip pays 44 ms. Raises OSError."""
    wire = socket.create_connection((address, port), timeout=timeout_s)
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Line(wire, lambda: wire.shutdown(socket.SHUT_RDWR))


def run(program: Sequence[str], environment: Mapping[str, str]) -> Line:
    """Start a program whose input and output are the line; no shell reads its arguments.

    It gets `environment` besides ours, and lives on when a Ctrl-C is meant for us. Raises ToolMissing, OSError.
    """
    ours, theirs = socket.socketpair()
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the line
    try:
        started = subprocess.Popen(
            list(program),
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=errors,
            env=os.environ | environment,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        ours.close()
        errors.close()
        hint = "the way in needs it: docs.aws.amazon.com/cli tells how to install it, version 2"
        raise ToolMissing(f"the program {program[0]} is not on PATH", hint=hint) from error
    except OSError:
        ours.close()
        errors.close()
        raise
    finally:
        theirs.close()
    return _ProgramLine(ours, started, errors)
