"""Hold a running job, however it is contained."""

from __future__ import annotations

import contextlib
import fcntl
import os
import resource
from pathlib import Path
from typing import NamedTuple

from runner.job.supervisor import processes
from runner.job.supervisor.job import Limits
from runner.job.supervisor.processes import Process

PIPE_BYTES = 1024 * 1024
_NICE = 5


class End(NamedTuple):
    """How a job ended: `code` is the exit code or minus the signal; `cpu_time_s` None where nobody counted."""

    how: str
    code: int
    cpu_time_s: float | None = None


class Contained:
    """A job that runs. `pid` is the child of ours that lives as long as it does, `output` where it writes to."""

    name = ""

    def __init__(self, pid: int, output: int) -> None:
        self.pid = pid
        self.output = output

    def members(self) -> dict[int, Process]:
        """Its processes."""
        return processes.descendants(os.getpid())

    def abort(self) -> None:
        """Signal its first process SIGABRT: Python's fault handler then writes where the code stood."""

    def kill(self) -> None:
        """End every process it has at this moment."""

    def end(self, status: int) -> End:
        """Say how it ended, of its child's exit code or minus the signal that ended that one."""
        return End("signalled" if status < 0 else "exited", status)


def output_pipe() -> tuple[int, int]:
    """A wide pipe for the output: the end to read, which never blocks, and the end to write to."""
    reader, writer = os.pipe()
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    os.set_blocking(reader, False)
    return reader, writer


def set_limits(limits: Limits) -> None:
    """Bound what the calling process and its children may take, as far as the kernel counts it by process."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if limits.file_bytes is not None:
        _lower(resource.RLIMIT_FSIZE, limits.file_bytes)
    if limits.cpus is not None and hasattr(os, "sched_setaffinity"):
        mine = sorted(os.sched_getaffinity(0))
        count = max(1, min(len(mine), -int(-limits.cpus // 1)))
        first = os.getpid() % len(mine)
        os.sched_setaffinity(0, {(mine + mine)[first + number] for number in range(count)})


def go_first() -> None:
    """Should the host run out of memory or of time, it is the calling process that goes without, not sshd."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
    os.nice(_NICE)


def limit_tasks(tasks: int) -> None:
    """Bound how many tasks the calling process's user may have."""
    _lower(resource.RLIMIT_NPROC, tasks)


def _lower(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (value, value))
