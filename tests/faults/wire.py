"""Lead to a database server over a wire that can be cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

_CHUNK_BYTES = 65536


class Wire:
    """A port of this machine that leads to a server's socket.

    While it is cut, what was connected is not any more, and whoever connects is thrown out.
    """

    def __init__(self, server: Path) -> None:
        self._server = str(server)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._ends: list[socket.socket] = []
        self._is_cut = False
        self._mark = b""
        self._threads = [threading.Thread(target=self._accept, name="wire", daemon=True)]
        self._threads[0].start()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def cut(self) -> None:
        """End every connection, and let nobody make another."""
        with self._lock:
            self._is_cut = True
            self._mark = b""
            ends, self._ends = self._ends, []
        for end in ends:
            _close(end)

    def heal(self) -> None:
        """Let connections be made again."""
        with self._lock:
            self._is_cut = False

    def lose_answer_to_commit_after(self, mark: bytes) -> None:
        """Cut when the server has committed a transaction in which `mark` was said, before its answer is passed on."""
        with self._lock:
            self._mark = mark

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        _close(self._listener)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # the listener is closed
                return
            self._lead(client)

    def _lead(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        with self._lock:
            if self._is_cut:
                _close(client)
                _close(server)
                return
            self._ends += [client, server]
        server.connect(self._server)
        listening = _Listening(lambda: self._mark)
        for pumped in (
            lambda: _pump(client, server, listening.hears),
            lambda: _pump(server, client, lambda _: self.cut() if listening.has_heard_commit else None),
        ):
            thread = threading.Thread(target=pumped, name="wire", daemon=True)
            self._threads.append(thread)
            thread.start()


class _Listening:
    """What one client has said since it said `mark`."""

    def __init__(self, mark: Callable[[], bytes]) -> None:
        self._mark = mark
        self._has_heard_mark = False
        self.has_heard_commit = False

    def hears(self, said: bytes) -> None:
        mark = self._mark()
        self._has_heard_mark |= bool(mark) and mark in said
        self.has_heard_commit |= self._has_heard_mark and b"COMMIT" in said


def _pump(source: socket.socket, target: socket.socket, hear: Callable[[bytes], None]) -> None:
    """Pass on what comes until one of both is closed; `hear` it first, which may close them."""
    with suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            hear(chunk)
            target.sendall(chunk)
    _close(source)
    _close(target)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
