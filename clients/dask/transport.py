"""Use the machine of a Dask worker as a host."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from typing import Any

from clients.dask.connection import Connection
from clients.dask.frames import Frame
from clients.feeding import Feeder
from clients.outputs import Stream, named
from clients.verbs import Verbs
from contracts.errors import CommandTimedOut, HostUnreachable

_PIECE_BYTES = 2**20
_WAIT_S = 20.0
_SPARE_S = 60.0
_MOST_CODE = 255
_MOST_ADDRESS = 200
_COMMANDS = itertools.count(1)
_OURS = uuid.uuid4().hex


class DaskTransport(Verbs):
    """Commands run as children of a worker of the machine, with a clean environment, as a login over SSH gives."""

    def __init__(self, connection: Connection, machine: str, key: str = "", *, is_last: bool = False) -> None:
        self._connection = connection
        self._machine = machine
        self._key = key
        self._is_last = is_last
        self._closed = False
        self._running: set[_Command] = set()

    def close(self) -> None:
        """End every command that still runs; what has detached itself goes on."""
        self._closed = True
        for command in list(self._running):
            command.abandon()
        if self._is_last:
            self._connection.close()

    @contextmanager
    def _started(self, argv: Sequence[str], chunks: Iterable[bytes], timeout_s: float | None) -> Iterator[_Command]:
        if self._closed:
            raise HostUnreachable(f"the connection to {self._machine} was closed", hint="connect again")
        command = _Command(self._connection, self._machine, self._key, argv, timeout_s)
        self._running.add(command)
        try:
            command.begin(chunks)
            yield command
        finally:
            self._running.discard(command)
            command.close()


class _Command:
    """One command: its input fed, its output asked for piece by piece, so that it never waits here in heaps."""

    def __init__(
        self, connection: Connection, machine: str, key: str, argv: Sequence[str], timeout_s: float | None
    ) -> None:
        self._connection = connection
        self._machine = machine
        self._key = key
        self._argv = argv
        self._timeout_s = timeout_s
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._number = f"{_OURS}-{next(_COMMANDS)}"
        self._address: str | None = None
        self._first: Future[Frame] | None = None
        self._code: int | None = None
        self._is_abandoned = False
        self._asked: set[Future[Frame]] = set()
        self._feeder: Feeder | None = None

    def begin(self, chunks: Iterable[bytes]) -> None:
        """Start it with the first piece of its input; most commands have no more than that."""
        pieces = _pieces(chunks)
        first = next(pieces, b"")
        second = next(pieces, None)
        beginning = {"machine": self._machine, "key": self._key, "argv": list(self._argv)}
        if second is None:
            self._first = self._asking("begin", first, **beginning, ends=True, wait_s=self._patience())
            return
        self._first = self._asking("begin", first, **beginning, ends=False, wait_s=0.0)
        self._answer(self._first)
        rest = itertools.chain([second], pieces)
        self._feeder = Feeder(rest, write=self._write, end=self._end_input, abandon=self.abandon)

    def output(self) -> Iterator[tuple[Stream, bytes]]:
        """What the command writes, until it has ended; raises CommandTimedOut."""
        asking, self._first = self._first, None
        while True:
            if asking is None:
                asking = self._asking("read", address=self._address, wait_s=self._patience())
            header, data = self._answer(asking)
            asking = None
            size = header.get("out")
            code = header.get("code")
            if type(size) is not int or not 0 <= size <= len(data):
                raise self._no_answer()
            if code is not None and (type(code) is not int or not -1 <= code <= _MOST_CODE):
                raise self._no_answer()
            if data[:size]:
                yield Stream.OUT, data[:size]
            if data[size:]:
                yield Stream.ERR, data[size:]
            if code is not None:
                self._code = code
                return

    def exit_code(self) -> int:
        """The exit code, -1 where a signal ended the command."""
        if self._feeder is not None:
            self._feeder.check()
        if self._is_abandoned or self._code is None:
            raise HostUnreachable(f"the connection to {self._machine} was closed", hint="connect again")
        return self._code

    def abandon(self) -> None:
        """End it, from another thread too."""
        self._is_abandoned = True
        if self._code is None:
            with suppress(HostUnreachable):
                self._connection.begin("kill", command=self._number, machine=self._machine)
        for answer in list(self._asked):
            answer.cancel()

    def close(self) -> None:
        """End it where it still runs."""
        if self._code is None:
            self.abandon()
        if self._feeder is not None:
            self._feeder.join()

    def _asking(self, verb: str, payload: bytes = b"", **asked: Any) -> Future[Frame]:
        answer = self._connection.begin(verb, payload, command=self._number, **asked)
        self._asked.add(answer)
        if self._is_abandoned:
            answer.cancel()
        return answer

    def _answer(self, answer: Future[Frame]) -> Frame:
        try:
            frame = answer.result(_WAIT_S + _SPARE_S)
        except TimeoutError as error:
            raise HostUnreachable(f"the worker on {self._machine} did not answer in time") from error
        except CancelledError as error:
            raise HostUnreachable(f"the connection to {self._machine} was closed", hint="connect again") from error
        finally:
            self._asked.discard(answer)
        address = frame.header.get("address", self._address)
        if address is not None and (not isinstance(address, str) or len(address) > _MOST_ADDRESS):
            raise self._no_answer()  # it is said again with every question
        self._address = address
        return frame

    def _no_answer(self) -> HostUnreachable:
        return HostUnreachable(f"the worker on {self._machine} says what is no answer")

    def _write(self, data: bytes) -> None:
        self._put(data, ends=False)

    def _end_input(self) -> None:
        self._put(b"", ends=True)

    def _put(self, data: bytes, *, ends: bool) -> None:
        try:
            takes = self._answer(self._asking("write", data, address=self._address, ends=ends)).header.get("takes")
        except HostUnreachable as error:
            raise BrokenPipeError from error
        if not takes and not ends:
            raise BrokenPipeError

    def _patience(self) -> float:
        """How long an answer may wait for something to be told."""
        if self._deadline is None:
            return _WAIT_S
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise CommandTimedOut(f"{named(self._argv)} did not end within {self._timeout_s:g} s")
        return min(_WAIT_S, left)


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces that are worth a way, and fit into a frame."""
    kept = bytearray()
    for chunk in chunks:
        kept += chunk
        while len(kept) >= _PIECE_BYTES:
            yield bytes(kept[:_PIECE_BYTES])
            del kept[:_PIECE_BYTES]
    if kept:
        yield bytes(kept)
