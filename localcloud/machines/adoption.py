"""Collect the ended commands of machines whose way in was killed before them.

A command inside a machine is the child of the `nsenter` that brought it there. When that is killed first, the command
becomes a child of the nearest ancestor that adopts orphans, and until that one collects it, it stays in the machine's
process table and holds up the machine's end. Process 1 of a container often collects nothing, so we adopt them.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

from localcloud.machines import linux

_PAUSE_S = 0.1
_lock = threading.Lock()
_users = 0
_thread: threading.Thread | None = None
_enough = threading.Event()


def begin() -> None:
    """Adopt orphans from now on; each call needs an `end`."""
    global _users, _thread
    with _lock:
        _users += 1
        if _users == 1:
            linux.adopt_orphans(True)
            _enough.clear()
            _thread = threading.Thread(target=_collect_until_enough, name="machine-orphans", daemon=True)
            _thread.start()


def end() -> None:
    """Stop adopting when nobody else wants it."""
    global _users
    with _lock:
        _users -= 1
        if _users == 0 and _thread is not None:
            _enough.set()
            _thread.join()
            linux.adopt_orphans(False)


def collect() -> None:
    """Collect the ended children that lived in a PID namespace below ours: none of those was started by this process.

    Our own children, which somebody else waits for, live in our namespace.
    """
    if not _any_has_ended():
        return
    ours = Path("/proc/self/status").read_text()
    for child in _children():
        with contextlib.suppress(OSError):  # collected by somebody else meanwhile
            status = Path("/proc", child, "status").read_text()
            if _field(status, "State").startswith("Z") and _depth(status) > _depth(ours):
                os.waitpid(int(child), os.WNOHANG)


def _collect_until_enough() -> None:
    while not _enough.wait(_PAUSE_S):
        collect()


def _any_has_ended() -> bool:
    """Whether there is a child to be collected, by whomever: most looks end here, with one call to the kernel."""
    try:
        return os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def _children() -> list[str]:
    """Orphans come to the first thread of the process that adopts them."""
    try:
        return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    except FileNotFoundError:  # a kernel without this file
        return [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit() and _is_ours(entry)]


def _is_ours(entry: Path) -> bool:
    try:
        return int(_field((entry / "status").read_text(), "PPid")) == os.getpid()
    except OSError:
        return False


def _depth(status: str) -> int:
    return len(_field(status, "NSpid").split())


def _field(status: str, name: str) -> str:
    return next(line.partition(":")[2].strip() for line in status.splitlines() if line.startswith(f"{name}:"))
