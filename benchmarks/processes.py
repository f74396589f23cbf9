"""Read what a process has used from Linux's account of it."""

from __future__ import annotations

import os
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Used:
    """Seconds of CPU up to now, without those of children, with the most memory that was resident at a time."""

    cpu_s: float
    peak_bytes: int


def used(pid: int) -> Used:
    """What a process has used. Raises OSError where it is gone."""
    fields = _stat(pid)
    lines = dict(line.split(":", 1) for line in (_PROC / str(pid) / "status").read_text().splitlines())
    peak_kb = int(lines.get("VmHWM", "0 kB").split()[0])  # one that has just ended has none
    return Used((int(fields[11]) + int(fields[12])) / _TICKS_PER_S, peak_kb * 1024)


def descendants(pid: int, *, named: str) -> list[int]:
    """The processes below one whose command line holds a word."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in _PROC.glob("[0-9]*"):
        with suppress(OSError):
            children[int(_stat(int(entry.name))[1])].append(int(entry.name))
    found, left = [], [pid]
    while left:
        below = children[left.pop()]
        left += below
        found += below
    return [one for one in found if named in _command_line(one)]


def _stat(pid: int) -> list[str]:
    """The fields that follow the name, which may hold anything."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _command_line(pid: int) -> str:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
