"""Let the processes of a PID namespace stand still or go on."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

_PATIENCE_S = 5.0
_PAUSE_S = 0.002
_STANDING = "TtZX"  # stopped, traced, ended


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    state: str
    named: bool


def freeze(namespace_fd: int) -> None:
    """Stop every process; returns when all stand, however fast they fork. Raises OSError when they do not."""
    deadline = time.monotonic() + _PATIENCE_S
    while moving := [process.pid for process in _inside(namespace_fd) if process.state not in _STANDING]:
        if time.monotonic() > deadline:
            raise OSError(f"processes {moving} do not stop")
        _signal(moving, signal.SIGSTOP)
        time.sleep(_PAUSE_S)


def thaw(namespace_fd: int) -> None:
    """Let every process go on."""
    _signal([process.pid for process in _inside(namespace_fd)], signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _inside(namespace_fd: int) -> list[_Process]:
    """Those in the namespace, and what descends from them into namespaces of their own."""
    wanted = os.fstat(namespace_fd)
    everybody = [process for entry in Path("/proc").iterdir() if (process := _read(entry, wanted)) is not None]
    found = {process.pid for process in everybody if process.named}
    before = -1
    while len(found) != before:
        before = len(found)
        found |= {process.pid for process in everybody if process.parent in found}
    return [process for process in everybody if process.pid in found]


def _read(entry: Path, wanted: os.stat_result) -> _Process | None:
    if not entry.name.isdigit():
        return None
    try:
        state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
        space = (entry / "ns" / "pid").stat()
    except OSError:  # it has ended, or is another user's
        return None
    named = (space.st_dev, space.st_ino) == (wanted.st_dev, wanted.st_ino)
    return _Process(int(entry.name), int(parent), state, named)
