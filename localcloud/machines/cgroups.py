"""Bound the memory and the number of processes of a whole machine, where control groups can be had."""

from __future__ import annotations

import contextlib
import os
import time
from functools import cache
from pathlib import Path

_MOST_PROCESSES = 4096
_REMOVE_PATIENCE_S = 1.0


@cache
def _parents() -> tuple[Path, ...]:
    """Return our own groups that we may make groups in: one per v1 controller, or the one of v2."""
    found = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers in ("memory", "pids"):
            found.append(Path("/sys/fs/cgroup", controllers, path.lstrip("/")))
        elif not controllers and Path("/sys/fs/cgroup/cgroup.controllers").exists():
            found.append(Path("/sys/fs/cgroup", path.lstrip("/")))
    return tuple(folder for folder in found if os.access(folder, os.W_OK) and _usable(folder))


def _usable(folder: Path) -> bool:
    subtree = folder / "cgroup.subtree_control"
    if not subtree.exists():
        return True
    with contextlib.suppress(OSError):
        subtree.write_text("+memory +pids")
    return "memory" in subtree.read_text().split()


def folders(machine: str) -> list[str]:
    """Return the groups of a machine that exist."""
    wanted = (parent / _name(machine) for parent in _parents())
    return [str(folder) for folder in wanted if folder.is_dir()]


def make(machine: str, memory_bytes: int) -> list[str]:
    """Make the groups of a machine; returns none where we may not."""
    _sweep_left_behind()
    made = []
    for parent in _parents():
        folder = parent / _name(machine)
        with contextlib.suppress(OSError):
            folder.mkdir()
            made.append(str(folder))
            limits = {
                "memory.limit_in_bytes": memory_bytes,
                "memory.max": memory_bytes,
                "pids.max": _MOST_PROCESSES,
            }
            for name, value in limits.items():
                if (folder / name).exists():
                    (folder / name).write_text(str(value))
    return made


def enter(groups: list[str], pid: int) -> None:
    """Put a process into groups."""
    for folder in groups:
        with contextlib.suppress(OSError):
            Path(folder, "cgroup.procs").write_text(str(pid))


def remove(machine: str) -> None:
    """Remove the groups of a machine whose processes have ended."""
    for folder in folders(machine):
        _remove(Path(folder))


def _name(machine: str) -> str:
    return f"rampart-{os.getpid()}-{machine}"


@cache
def _sweep_left_behind() -> None:
    """Remove groups whose keeper was killed before it could: the kernel ends processes, never groups."""
    for parent in _parents():
        for folder in parent.glob("rampart-*-*"):
            keeper = folder.name.split("-")[1]
            if keeper.isdigit() and not Path("/proc", keeper).exists():
                _remove(folder)


def _remove(folder: Path) -> None:
    deadline = time.monotonic() + _REMOVE_PATIENCE_S
    while True:
        try:
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            # the kernel empties a group a moment after its last process was collected
            if time.monotonic() > deadline:
                return
            time.sleep(0.005)
        else:
            return
