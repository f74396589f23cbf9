"""Try something, and say in one line how that ended."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, Protocol

_LIMIT_S = 6.0
_MOST_CHARACTERS = 160


class Plan:
    """What is on the host to be had, as whoever sent this program knows it."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.token = str(told["token"])
        self.label_folders = [str(one) for one in told["label_folders"]]
        self.homes = [str(one) for one in told["homes"]]
        self.other_submission = str(told["other_submission"])
        self.bait_pid = int(told["bait_pid"])
        self.bait_port = int(told["bait_port"])
        self.addresses = [str(one) for one in told["addresses"]]
        self.abstract_socket = str(told["abstract_socket"])
        self.file_sockets = [str(one) for one in told["file_sockets"]]
        self.bait_key = str(told["bait_key"])
        self.metadata = str(told["metadata"])
        self.outside = str(told["outside"])
        self.resolvers = [str(one) for one in told["resolvers"]]
        self.outputs = {str(name): str(key) for name, key in told["outputs"].items()}
        self.own_folder = os.path.dirname(os.path.abspath(sys.argv[0]))
        self.many_files = int(told["many_files"])
        self.memory_bytes = int(told["memory_bytes"])
        self.disk_bytes = int(told["disk_bytes"])
        self.main_pid = os.getpid()
        self.launcher = os.getppid()
        self.home = os.environ.get("HOME", "/")
        self.job_folder = os.path.dirname(self.home)
        self.is_inside = True


class Stopped(Exception):
    """It was not possible; the text says what stopped it."""


class Impossible(Exception):
    """There is nothing of the kind on this host; the text says what is missing."""


class Attempt(Protocol):
    """Tries one thing; gives what it got, or raises Stopped, OSError or Impossible."""

    def __call__(self, plan: Plan) -> str: ...


MADE = "made "
"""What an attempt's answer begins with where only somebody outside can say how it ends."""


def any_of(tries: Iterable[Callable[[], str]]) -> str:
    """Give what the first try that succeeds gets; raises Stopped with what stopped each of them."""
    reasons = []  # type: list[str]
    missing = []  # type: list[str]
    for one in tries:
        try:
            return one()
        except Impossible as reason:
            missing.append(str(reason))
        except (OSError, Stopped) as error:
            reasons.append(reason_of(error))
    if not reasons and missing:
        raise Impossible("; ".join(dict.fromkeys(missing)))
    raise Stopped("; ".join(dict.fromkeys(reasons)) or "there was nothing to try")


def reason_of(error: BaseException) -> str:
    """Say what stopped an attempt, by the kernel's own words."""
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def system_call(number: int, *arguments: Any) -> int:
    """Ask the kernel directly; raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    result = int(libc.syscall(ctypes.c_long(number), *arguments))
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def number_of(x86_64: int, aarch64: int) -> int:
    """A system call's number on this architecture."""
    numbers = {"x86_64": x86_64, "aarch64": aarch64}
    if os.uname().machine not in numbers:
        raise Impossible("calls of this architecture are not known")
    return numbers[os.uname().machine]


def tried(attempt: Attempt, plan: Plan) -> tuple[str, str]:
    """Make an attempt in a child with a time limit; gives `got`, `stopped` or `impossible`, with a text."""
    reader, writer = os.pipe()
    child = forked()
    if child == 0:
        os.close(reader)
        _answer(attempt, plan, writer)
    os.close(writer)
    try:
        said = _heard(reader, time.monotonic() + _LIMIT_S)
    finally:
        os.close(reader)
        status = _ended(child)
    if said:
        word, _, text = said.partition(" ")
        return word, text
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) != signal.SIGKILL:
        return "stopped", f"ended by {signal.Signals(os.WTERMSIG(status)).name}"
    return "unclear", "it did not come to its end in time"


def forked() -> int:
    """Fork as soon as there is room for one more process: others of the same user may take it up for a while."""
    until = time.monotonic() + _LIMIT_S / 2
    while True:
        try:
            return os.fork()
        except BlockingIOError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def _answer(attempt: Attempt, plan: Plan, writer: int) -> None:
    """Be the child. Never returns."""
    try:
        said = f"got {attempt(plan)}"
    except Impossible as reason:
        said = f"impossible {reason}"
    except (OSError, Stopped) as error:
        said = f"stopped {reason_of(error)}"
    except BaseException as error:
        said = f"unclear {type(error).__name__}: {error}"
    os.write(writer, said.encode("utf-8", "replace")[:1000])
    os._exit(0)


def _heard(reader: int, until: float) -> str:
    said = b""
    while select.select([reader], [], [], max(0.0, until - time.monotonic()))[0]:
        piece = os.read(reader, 1000)
        if not piece:
            return said.decode("utf-8", "replace")
        said += piece
        if b" " in said:  # it is written in one go; what the attempt left running may hold the pipe
            return said.decode("utf-8", "replace")
    return ""


def _ended(child: int) -> int:
    until = time.monotonic() + 0.2
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def line(token: str, name: str, word: str, text: str) -> str:
    """One line for whoever judges: ASCII, and short."""
    shown = text.encode("ascii", "backslashreplace").decode()
    clean = "".join(letter if letter.isprintable() else " " for letter in shown)
    return f"{token} {name} {word} {clean[:_MOST_CHARACTERS]}"
