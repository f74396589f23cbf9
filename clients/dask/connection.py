"""Ask a process of its own, which holds Dask's client, and hear its answers as if a stranger gave them."""

from __future__ import annotations

import itertools
import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from clients.dask import frames
from clients.dask.frames import Frame
from contracts.dask import Scheduler
from contracts.errors import HostUnreachable

_log = logging.getLogger(__name__)
_PROGRAM = Path(__file__).with_name("client_process.py")
_DIAL_S = 60.0
_FORWARDED = ("PATH", "LANG")
_MOST_WORDS = 300

Walled = Callable[[Sequence[str], tuple[str, int]], Sequence[str]]
"""Gives a command line with walls around it, which reaches one host and port alone."""
_ADDRESS = re.compile(r"(\w+)://\[?([^\s/\]]+)\]?:(\d+)")


def unwalled(argv: Sequence[str], reaches: tuple[str, int]) -> Sequence[str]:  # noqa: ARG001 - it reaches everything
    """Give the command line as it is."""
    return argv


class Connection:
    """One client process, for any number of threads. It lives until `close`, or until the scheduler is silent."""

    def __init__(self, scheduler: Scheduler, *, walled: Walled = unwalled) -> None:
        """Start the process and connect; `walled` gives its command line with walls around it.

        Raises HostUnreachable where the scheduler does not answer or refuses us.
        """
        self._address = scheduler.address
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Future[Frame]] = {}
        self._why_closed = ""
        self._process = subprocess.Popen(
            list(walled([sys.executable, "-I", "-B", str(_PROGRAM)], _reached(scheduler.address))),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
            env={name: os.environ[name] for name in _FORWARDED if name in os.environ} | {"HOME": "/tmp"},  # noqa: S108 - nothing is kept there
            start_new_session=True,
        )  # fmt: skip
        self._input, self._output = _pipe(self._process.stdin), _pipe(self._process.stdout)
        ready: Future[Frame] = Future()
        self._waiting[0] = ready
        threading.Thread(target=self._listen, daemon=True, name="dask-client").start()
        try:
            self._say(Frame({"address": scheduler.address, **_shown(scheduler)}))
            self._answer_of(ready, _DIAL_S)
        except BaseException:
            self.close()
            raise

    @property
    def is_open(self) -> bool:
        """Whether anything can be asked still."""
        return not self._why_closed

    def ask(self, verb: str, payload: bytes = b"", *, timeout_s: float | None = 60.0, **asked: Any) -> Frame:
        """Ask and wait for the answer; raises HostUnreachable where there is none, or it is that it cannot be done."""
        return self._answer_of(self.begin(verb, payload, **asked), timeout_s)

    def begin(self, verb: str, payload: bytes = b"", **asked: Any) -> Future[Frame]:
        """Ask; the answer comes later, or HostUnreachable as its exception."""
        answer: Future[Frame] = Future()
        with self._lock:
            if self._why_closed:
                raise self._lost()
            number = next(self._numbers)
            self._waiting[number] = answer
        try:
            self._say(Frame({"id": number, "verb": verb, **asked}, payload))
        except HostUnreachable:
            self._waiting.pop(number, None)
            raise
        return answer

    def close(self) -> None:
        """End the process; doing it twice is fine."""
        self._end("the connection to it was closed")
        with suppress(ProcessLookupError, PermissionError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, 9)
        self._process.wait()
        for pipe in (self._input, self._output):
            with suppress(OSError):
                pipe.close()

    def _answer_of(self, answer: Future[Frame], timeout_s: float | None) -> Frame:
        try:
            return answer.result(timeout_s)
        except TimeoutError as error:
            raise HostUnreachable(f"the Dask scheduler {self._address} did not answer in time") from error

    def _say(self, frame: Frame) -> None:
        data = frames.encoded(*frame)
        try:
            with self._lock:
                left = memoryview(data)
                while left:
                    left = left[self._input.write(left) :]
        except (OSError, ValueError) as error:
            raise self._lost() from error

    def _listen(self) -> None:
        why = "it does not answer any more"
        try:
            while True:
                self._hear(frames.read(self._exactly))
        except frames.Malformed as error:
            why = f"its client says what it should not: {error}"
        except (EOFError, OSError, ValueError):
            pass
        self._end(why)
        with suppress(ProcessLookupError, PermissionError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, 9)

    def _hear(self, frame: Frame) -> None:
        number = frame.header.get("id", 0)
        answer = self._waiting.pop(number, None) if isinstance(number, int) else None
        if answer is None:
            raise frames.Malformed("nobody asked for that")
        if not answer.set_running_or_notify_cancel():
            return
        failed = frame.header.get("failed")
        if failed is None:
            answer.set_result(frame)
        else:
            answer.set_exception(HostUnreachable(f"on the Dask cluster {self._address}: {_words(failed)}"))

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            piece = self._output.read(size - len(data))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def _end(self, why: str) -> None:
        with self._lock:
            self._why_closed = self._why_closed or why
            waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if answer.set_running_or_notify_cancel():
                answer.set_exception(self._lost())

    def _lost(self) -> HostUnreachable:
        return HostUnreachable(f"the Dask scheduler {self._address}: {self._why_closed or 'its client has ended'}")


def _reached(address: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise HostUnreachable(f"{address} is not the address of a Dask scheduler", hint="like tls://10.0.0.5:8786")
    return found[2], int(found[3])


def _shown(scheduler: Scheduler) -> Mapping[str, str]:
    if scheduler.tls is None:
        return {}
    tls = scheduler.tls
    files = {"authority": tls.authority, "certificate": tls.certificate, "key": tls.key}
    return {name: path.read_text(encoding="ascii") for name, path in files.items()}


def _words(text: object) -> str:
    """What a stranger may have written, as one line that can be shown."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text)[:_MOST_WORDS]).strip()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the process was started without pipes")
    return pipe
