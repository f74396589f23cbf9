"""Read what a command writes, up to a bound."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from typing import Protocol

from contracts.errors import CommandFailed
from contracts.remote import CommandResult

MAX_OUTPUT_BYTES = 64 * 1024 * 1024
TAIL_BYTES = 4096


class Stream(Enum):
    """Where a piece of output came from."""

    OUT = auto()
    ERR = auto()


class Running(Protocol):
    """A command that has been started."""

    def output(self) -> Iterator[tuple[Stream, bytes]]:
        """What it writes, until it closes both streams."""
        ...

    def exit_code(self) -> int:
        """Its exit code; asked for when the output has been read."""
        ...


def finish(running: Running, argv: Sequence[str]) -> CommandResult:
    """Read a command to its end."""
    collected = Collected(argv)
    for stream, data in running.output():
        collected.add(stream, data)
    code = running.exit_code()
    return CommandResult(code, collected.bytes_of(Stream.OUT), collected.bytes_of(Stream.ERR))


def received(running: Running, argv: Sequence[str]) -> Iterator[bytes]:
    """Standard output piece by piece; raises CommandFailed at its end where the exit code is not 0."""
    errors = Tail()
    for stream, data in running.output():
        if stream is Stream.OUT:
            yield data
        else:
            errors.add(data)
    code = running.exit_code()
    if code != 0:
        raise failed(argv, code, errors.text)


class Collected:
    """Standard output and error of one command; raises CommandFailed when both together pass the bound."""

    def __init__(self, argv: Sequence[str], *, max_bytes: int = MAX_OUTPUT_BYTES) -> None:
        self._argv = argv
        self._max_bytes = max_bytes
        self._size = 0
        self._pieces: dict[Stream, list[bytes]] = {Stream.OUT: [], Stream.ERR: []}

    def add(self, stream: Stream, data: bytes) -> None:
        """Keep one piece."""
        self._size += len(data)
        if self._size > self._max_bytes:
            message = f"{named(self._argv)} wrote more than {self._max_bytes} bytes"
            raise CommandFailed(message, exit_code=-1, hint="read large output as a stream")
        self._pieces[stream].append(data)

    def bytes_of(self, stream: Stream) -> bytes:
        """All that came on one stream."""
        return b"".join(self._pieces[stream])


class Tail:
    """The last bytes of a stream, for a message."""

    def __init__(self) -> None:
        self._kept = b""

    def add(self, data: bytes) -> None:
        """Keep the end of what was kept plus this piece."""
        self._kept = (self._kept + data)[-TAIL_BYTES:]

    @property
    def text(self) -> str:
        """What is kept, as text."""
        return self._kept.decode("utf-8", "replace").strip()


def failed(argv: Sequence[str], exit_code: int, tail: str) -> CommandFailed:
    """Say that a command ended with another code than 0, with the last line it wrote."""
    last = tail.rsplit("\n", 1)[-1]
    message = f"{named(argv)} ended with exit code {exit_code}" + (f": {last}" if last else "")
    return CommandFailed(message, exit_code=exit_code, output_tail=tail)


def named(argv: Sequence[str]) -> str:
    """A command's line for a message, shortened."""
    line = shlex.join(argv)
    return line if len(line) <= 120 else line[:117] + "..."
