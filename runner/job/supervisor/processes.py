"""Look at the processes of this machine, or signal them."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple


class Process(NamedTuple):
    """One process: its parent, its resident memory in bytes, its number of threads."""

    parent: int
    resident: int
    threads: int


def descendants(ancestor: int) -> dict[int, Process]:
    """Every process below `ancestor`."""
    processes = everybody()
    children = {}  # type: dict[int, list[int]]
    for pid, process in processes.items():
        children.setdefault(process.parent, []).append(pid)
    found = {}  # type: dict[int, Process]
    waiting = [ancestor]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found[child] = processes[child]
                waiting.append(child)
    return found


def memory_of(members: Mapping[int, Process], limit: int | None) -> int:
    """Memory of a process tree in bytes; pages its members share count once where that decides."""
    resident = sum(member.resident for member in members.values())
    if len(members) < 2 or (limit is not None and resident <= limit):
        return resident
    return sum(_proportional(pid, member.resident) for pid, member in members.items())


def _proportional(pid: int, otherwise: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines()
    except OSError:
        return otherwise
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:")), otherwise)


def everybody() -> dict[int, Process]:
    """Every process of the host."""
    if not Path("/proc/self").is_dir():
        listing = subprocess.run(["ps", "-axo", "pid=,ppid=,rss="], stdout=subprocess.PIPE, check=False).stdout
        rows = [[int(field) for field in line.split()] for line in listing.splitlines()]
        return {pid: Process(parent, rss * 1024, 1) for pid, parent, rss in rows}
    with os.scandir("/proc") as entries:
        return seen(int(entry.name) for entry in entries if entry.name.isdigit())


def seen(pids: Iterable[int]) -> dict[int, Process]:
    """Those of the processes that have not ended since."""
    page = resource.getpagesize()
    found = {}
    for pid in list(pids):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
            found[pid] = Process(int(fields[1]), int(fields[21]) * page, int(fields[17]))
    return found


def marked(mark: bytes) -> list[int]:
    """Every process but this one that has this in its environment."""
    return [pid for pid in everybody() if pid != os.getpid() and mark in _environment_of(pid)]


def _environment_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def send(pid: int, number: int) -> None:
    """Signal a process, unless it has ended."""
    if pid > 1:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def kill_group(leader: int) -> None:
    """Kill a process group, unless it has ended."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def oom_kills() -> int:
    """How often the kernel of this host has killed for want of memory; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_bytes().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(b"oom_kill ")), 0)
