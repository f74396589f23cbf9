"""Ask a process of its own, which holds Dask's client, and hear its answers as if a stranger gave them."""

from __future__ import annotations

import itertools
import logging
import os
import re
import select
import subprocess
import sys
import threading
import time
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
_TAKES_S = 60.0  # so long it may take none of a question
_LOOK_MS = 500
_PIECE_BYTES = 64 * 1024  # a pipe holds no more
_FORWARDED = ("PATH", "LANG")
_MOST_WORDS = 300
_LAST_WORDS_S = 5.0

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
        self._saying = threading.Lock()  # another one: who is not listened to must not keep others from closing
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
        os.set_blocking(self._input.fileno(), False)
        ready: Future[Frame] = Future()
        self._waiting[0] = ready
        self._listener = threading.Thread(target=self._listen, daemon=True, name="dask-client")
        self._listener.start()
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
        except BaseException:
            self._waiting.pop(number, None)
            raise
        return answer

    def close(self) -> None:
        """End the process; doing it twice is fine."""
        self._end("the connection to it was closed")
        self._process.wait()
        # a descriptor that is closed while somebody is at it may be another connection's a moment later
        with self._saying, suppress(OSError):
            self._input.close()
        self._listener.join(_LAST_WORDS_S)
        if not self._listener.is_alive():
            self._output.close()

    def _answer_of(self, answer: Future[Frame], timeout_s: float | None) -> Frame:
        try:
            return answer.result(timeout_s)
        except TimeoutError as error:
            raise HostUnreachable(f"the Dask scheduler {self._address} did not answer in time") from error

    def _say(self, frame: Frame) -> None:
        left = memoryview(frames.encoded(*frame))
        try:
            with self._saying:
                while left:
                    left = left[self._written(left) :]
        except (OSError, ValueError) as error:
            self._end("it takes no questions any more")
            raise self._lost() from error

    def _written(self, data: memoryview) -> int:
        """Write as much as there is room for. Raises TimeoutError where there is none for long, and when we close."""
        room = select.poll()
        room.register(self._input, select.POLLOUT)
        deadline = time.monotonic() + _TAKES_S
        while not room.poll(_LOOK_MS):
            if self._why_closed or time.monotonic() > deadline:
                raise TimeoutError
        return self._input.write(data) or 0

    def _listen(self) -> None:
        why = "it does not answer any more"
        try:
            while True:
                self._hear(frames.read(self._exactly))
        except frames.Malformed as error:
            why = f"its client says what it should not: {error}"
        except (EOFError, OSError, ValueError):
            pass
        finally:
            self._end(why)

    def _hear(self, frame: Frame) -> None:
        number = frame.header.get("id", 0)
        with self._lock:
            answer = self._waiting.pop(number, None) if type(number) is int else None  # True would be 1
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
            piece = self._output.read(min(size - len(data), _PIECE_BYTES))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)

    def _end(self, why: str) -> None:
        """Tell everybody who waits, and end the process. The first reason is the one that is told."""
        with self._lock:
            self._why_closed = self._why_closed or why
            waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            if answer.set_running_or_notify_cancel():
                answer.set_exception(self._lost())
        with suppress(ProcessLookupError, PermissionError):
            if self._process.poll() is None:
                os.killpg(self._process.pid, 9)

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
    said = text[:_MOST_WORDS] if isinstance(text, str) else ""
    return "".join(letter if letter.isprintable() else " " for letter in said).strip() or "it does not say why"


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the process was started without pipes")
    return pipe
