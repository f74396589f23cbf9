"""Use this machine as a host."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import IO

from clients.feeding import Feeder
from clients.outputs import Stream, named
from clients.verbs import Verbs
from contracts.errors import CommandTimedOut, HostUnreachable

_CHUNK_BYTES = 64 * 1024
_FORWARDED = ("PATH", "USER", "LOGNAME", "LANG", "TMPDIR")
_EXEC = ("/bin/sh", "-c", 'exec "$@"', "sh")  # a missing program is exit code 127, as it is over SSH


class LocalTransport(Verbs):
    """Commands run as children of this process, in `home` and with a clean environment, as a login over SSH gives."""

    def __init__(self, home: Path | None = None) -> None:
        self._home = home or Path.home()
        self._lock = Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def close(self) -> None:
        """End every command that still runs; what has detached itself goes on."""
        with self._lock:
            self._closed = True
            for process in self._running:
                _end(process)

    @contextmanager
    def _started(self, argv: Sequence[str], chunks: Iterable[bytes], timeout_s: float | None) -> Iterator[_Command]:
        with self._lock:
            self._refuse_when_closed()
            process = subprocess.Popen(
                [*_EXEC, *argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self._home,
                env=_login_environment(os.environ, self._home),
                start_new_session=True,
            )
            self._running.add(process)
        command = _Command(process, argv, timeout_s, self._refuse_when_closed)
        try:
            command.feed(chunks)
            yield command
        finally:
            command.close()
            with self._lock:
                self._running.discard(process)

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise HostUnreachable("the connection to this machine was closed", hint="connect again")


class _Command:
    """One child process: its input fed, its output pumped as it comes."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        argv: Sequence[str],
        timeout_s: float | None,
        check_open: Callable[[], None],
    ) -> None:
        self._process = process
        self._check_open = check_open
        self._argv = argv
        self._timeout_s = timeout_s
        self._deadline = None if timeout_s is None else time.monotonic() + timeout_s
        self._feeder: Feeder | None = None

    def feed(self, chunks: Iterable[bytes]) -> None:
        """Write the input; one without any is ended at once."""
        stdin = _pipe(self._process.stdin)
        if chunks == ():
            stdin.close()
        else:
            self._feeder = Feeder(chunks, write=stdin.write, end=stdin.close, abandon=lambda: _end(self._process))

    def output(self) -> Iterator[tuple[Stream, bytes]]:
        """What the command writes, until it closes both streams; raises CommandTimedOut."""
        with selectors.DefaultSelector() as selector:
            selector.register(_pipe(self._process.stdout), selectors.EVENT_READ, Stream.OUT)
            selector.register(_pipe(self._process.stderr), selectors.EVENT_READ, Stream.ERR)
            while selector.get_map():
                ready = selector.select(self._left())
                if not ready:
                    raise self._timed_out()
                for key, _ in ready:
                    data = os.read(key.fd, _CHUNK_BYTES)
                    if data:
                        yield key.data, data
                    else:
                        selector.unregister(key.fileobj)

    def exit_code(self) -> int:
        """The exit code, -1 where a signal ended the command, as an SSH channel tells it."""
        try:
            code = self._process.wait(self._left())
        except subprocess.TimeoutExpired as error:
            raise self._timed_out() from error
        if self._feeder is not None:
            self._feeder.check()
        self._check_open()
        return max(code, -1)

    def close(self) -> None:
        """End the command where it still runs, with the process group it started."""
        if self._process.poll() is None:
            _end(self._process)
        self._process.wait()
        if self._feeder is not None:
            self._feeder.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):
                _pipe(pipe).close()

    def _left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def _timed_out(self) -> CommandTimedOut:
        return CommandTimedOut(f"{named(self._argv)} did not end within {self._timeout_s:g} s")


def _login_environment(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """What a login would have; nothing else of ours reaches a command, credentials least of all."""
    return {name: environ[name] for name in _FORWARDED if name in environ} | {"HOME": str(home)}


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the process was started without pipes")
    return pipe
