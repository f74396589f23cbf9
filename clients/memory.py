"""Play a host in memory: its programs are functions, its commands threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Event, Lock, Thread

from clients.outputs import Collected, Stream, Tail, failed, named
from contracts.errors import CommandTimedOut, HostUnreachable
from contracts.remote import CommandResult

NOT_FOUND = 127

_Item = tuple[Stream, bytes] | int | BaseException


class Call:
    """One command as its program sees it."""

    def __init__(self, argv: Sequence[str], stdin: Iterable[bytes], queue: SimpleQueue[_Item]) -> None:
        self.argv = tuple(argv)
        self.stdin = stdin
        self.ended = Event()
        """Set when nobody listens any more: a program that waits for something waits for this too."""
        self._queue = queue

    def out(self, data: bytes) -> None:
        """Write to standard output."""
        self._queue.put((Stream.OUT, data))

    def err(self, data: bytes) -> None:
        """Write to standard error."""
        self._queue.put((Stream.ERR, data))


Program = Callable[[Call], int]
"""What a command does; gives its exit code, -1 for a death by a signal."""


class MemoryHost:
    """A host of scripted programs, chosen by a command's first word; `calls` remembers every command it was given."""

    def __init__(self, programs: Mapping[str, Program]) -> None:
        self.programs = dict(programs)
        self.calls: list[tuple[str, ...]] = []
        self._transports: list[MemoryTransport] = []

    def connect(self) -> MemoryTransport:
        """Open a connection."""
        transport = MemoryTransport(self)
        self._transports.append(transport)
        return transport

    def lose(self) -> None:
        """Break every connection, as the end of a machine does."""
        for transport in self._transports:
            transport.break_off("the host was lost")


class MemoryTransport:
    """One connection to a MemoryHost."""

    def __init__(self, host: MemoryHost) -> None:
        self._host = host
        self._lock = Lock()
        self._running: dict[Call, SimpleQueue[_Item]] = {}
        self._broken: str | None = None

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float | None = 60.0) -> CommandResult:
        """Run a command to its end; see runner.ports.Transport."""
        return self._finish(argv, (stdin,) if stdin else (), timeout_s)

    def send(self, argv: Sequence[str], chunks: Iterable[bytes], *, timeout_s: float = 600.0) -> CommandResult:
        """Run a command that reads `chunks`; see runner.ports.Transport."""
        return self._finish(argv, chunks, timeout_s)

    @contextmanager
    def receive(self, argv: Sequence[str], *, timeout_s: float = 600.0) -> Iterator[Iterator[bytes]]:
        """Run a command and read its output piece by piece; see runner.ports.Transport."""
        with self._start(argv, ()) as items:
            yield _received(argv, _until_exit(argv, items, timeout_s))

    def close(self) -> None:
        """End the connection."""
        self.break_off("the connection was closed")

    def break_off(self, reason: str) -> None:
        """End the connection for a reason that a waiting command is told."""
        with self._lock:
            self._broken = self._broken or reason
            for queue in self._running.values():
                queue.put(self._unreachable())

    def _finish(self, argv: Sequence[str], chunks: Iterable[bytes], timeout_s: float | None) -> CommandResult:
        collected = Collected(argv)
        code = 0
        with self._start(argv, chunks) as items:
            for item in _until_exit(argv, items, timeout_s):
                if isinstance(item, int):
                    code = item
                else:
                    collected.add(*item)
        return CommandResult(code, collected.bytes_of(Stream.OUT), collected.bytes_of(Stream.ERR))

    @contextmanager
    def _start(self, argv: Sequence[str], stdin: Iterable[bytes]) -> Iterator[SimpleQueue[_Item]]:
        queue: SimpleQueue[_Item] = SimpleQueue()
        call = Call(argv, stdin, queue)
        with self._lock:
            if self._broken is not None:
                raise self._unreachable()
            self._running[call] = queue
        self._host.calls.append(call.argv)
        program = self._host.programs.get(call.argv[0], _not_found)
        thread = Thread(target=_play, args=(program, call, queue), daemon=True, name=f"memory-{call.argv[0]}")
        thread.start()
        try:
            yield queue
        finally:
            call.ended.set()
            with self._lock:
                del self._running[call]

    def _unreachable(self) -> HostUnreachable:
        return HostUnreachable(self._broken or "the connection has ended", hint="connect again")


def _until_exit(
    argv: Sequence[str], items: SimpleQueue[_Item], timeout_s: float | None
) -> Iterator[tuple[Stream, bytes] | int]:
    """Everything a command writes, its exit code last; raises CommandTimedOut, or what broke the connection."""
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    while True:
        try:
            item = items.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except Empty as error:
            raise CommandTimedOut(f"{named(argv)} did not end within {timeout_s:g} s") from error
        if isinstance(item, BaseException):
            raise item
        yield item
        if isinstance(item, int):
            return


def _received(argv: Sequence[str], items: Iterator[tuple[Stream, bytes] | int]) -> Iterator[bytes]:
    errors = Tail()
    for item in items:
        if isinstance(item, int):
            if item != 0:
                raise failed(argv, item, errors.text)
        elif item[0] is Stream.OUT:
            yield item[1]
        else:
            errors.add(item[1])


def _play(program: Program, call: Call, queue: SimpleQueue[_Item]) -> None:
    try:
        queue.put(program(call))
    except BaseException as error:
        queue.put(error)


def _not_found(call: Call) -> int:
    call.err(f"{call.argv[0]}: not found\n".encode())
    return NOT_FOUND
