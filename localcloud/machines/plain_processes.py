"""Find and end the processes of a plain machine: by their environment, their folder and their parents."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import RampartError

MARKER = "RAMPART_PLAIN_MACHINE"
_PATIENCE_S = 5.0
_PAUSE_S = 0.01


@dataclass(frozen=True, slots=True)
class _Process:
    pid: int
    parent: int
    group: int
    marked: bool
    stands: bool


def end_all(folder: Path) -> None:
    """End every process of the machines in or below `folder`; returns when they are dead or only wait to be collected.

    A process that cleared its environment, left its group, lost its parent and changed its folder is not found.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while found := _of_machine(folder):
        _signal(found, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise RampartError(f"processes {found} did not end", hint="end them by hand: kill -9 PID")
        time.sleep(_PAUSE_S)


def stop_all(folder: Path) -> None:
    """Let every process of the machines in or below `folder` stand still; returns when they do."""
    deadline = time.monotonic() + _PATIENCE_S
    while moving := [process.pid for process in _members(folder) if not process.stands]:
        if time.monotonic() > deadline:
            raise RampartError(f"processes {moving} do not stop", hint="look at them: ps -o pid,stat,args")
        _signal(moving, signal.SIGSTOP)
        time.sleep(_PAUSE_S)


def continue_all(folder: Path) -> None:
    """Let them go on."""
    _signal(_of_machine(folder), signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _of_machine(folder: Path) -> list[int]:
    return [process.pid for process in _members(folder)]


def _members(folder: Path) -> list[_Process]:
    """Return the marked processes, what descends from them, and what shares a process group with one of these."""
    everybody = list(_linux(folder) if sys.platform == "linux" else _elsewhere(folder))
    ours = {process.pid for process in everybody if process.marked}
    spared = {os.getpid(), os.getppid()}
    own_group = os.getpgrp()
    before = -1
    while len(ours) != before:
        before = len(ours)
        groups = {p.group for p in everybody if p.pid in ours} - {own_group}
        ours |= {p.pid for p in everybody if p.parent in ours or p.group in groups}
    return [process for process in everybody if process.pid in ours - spared]


def _linux(folder: Path) -> Iterator[_Process]:
    marker = f"{MARKER}={folder}/".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, parent, group = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            if state in "ZX":
                continue
            marked = _works_in(entry, folder) or _is_marked((entry / "environ").read_bytes(), marker)
        except OSError:  # it has ended, or is another user's
            continue
        yield _Process(int(entry.name), int(parent), int(group), marked, stands=state in "Tt")


def _is_marked(environment: bytes, marker: bytes) -> bool:
    return any((variable + b"/").startswith(marker) for variable in environment.split(b"\0"))


def _works_in(entry: Path, folder: Path) -> bool:
    return Path(str((entry / "cwd").readlink()).removesuffix(" (deleted)")).is_relative_to(folder)


def _elsewhere(folder: Path) -> Iterator[_Process]:
    """Ask BSD's ps, which shows the environment of one's own processes behind the command."""
    marker = f"{MARKER}={folder}"
    shown = subprocess.run(
        ["ps", "-axEww", "-o", "pid=,ppid=,pgid=,stat=,command="], capture_output=True, text=True, check=True
    ).stdout
    for line in shown.splitlines():
        pid, parent, group, state, command = line.split(None, 4)
        if not state.startswith("Z"):
            yield _Process(int(pid), int(parent), int(group), marker in command, stands=state.startswith("T"))
