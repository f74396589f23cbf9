"""Watch a job to its end: pump its output, look at what it takes, end it at a limit, clear up, write the record."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import selectors
import signal
import sys
import time
from pathlib import Path

from runner.job.supervisor import containment, folders, processes, syscalls
from runner.job.supervisor.contained import PIPE_BYTES, Contained, End
from runner.job.supervisor.folders import Room
from runner.job.supervisor.job import CannotContain, Job
from runner.job.supervisor.log import CappedLog

CHUNK_BYTES = 256 * 1024
FASTEST_GROWTH_BYTES_PER_S = 2 * 1024**3
SAMPLE_S = (0.02, 1.0)
SAMPLE_COST_SHARE = 0.02
LAST_WORDS_S = 0.5
KILL_PATIENCE_S = 20
_CANNOT_START = 127


class Supervisor:
    """One job: its processes, its log, its limits and its exit record."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.folder = job.folder
        self.log = CappedLog(self.folder / "log")
        self.started_at = time.monotonic()
        self.deadline = self.started_at + job.limits.timeout_s
        self.peak_bytes = 0
        self.terminated = False
        self.pid = 0
        self.status = None  # type: int | None
        self.room = Room(self.folder, job.limits.disk_bytes)
        self.selector = selectors.DefaultSelector()
        self.woken = self._listen_for_signals()
        folders.write_whole(self.folder / "supervisor", str(os.getpid()))

    def run(self, ways: tuple[str, ...], *, strict: bool) -> None:
        """Start the job, watch it, clear up behind it, write the record."""
        syscalls.adopt_orphans()
        oom_kills = processes.oom_kills()
        try:
            contained = containment.start(self.job, ways, strict=strict).contained
        except CannotContain as error:
            self.log.feed((f"this host cannot contain a submission: {error}\n").encode())
            self._record(End("not-contained", _CANNOT_START), "")
            return
        except OSError as error:
            self.log.feed((f"could not start {self.job.argv[0]}: {error}\n").encode())
            self._record(End("exited", _CANNOT_START), "")
            return
        self.pid = contained.pid
        self.selector.register(contained.output, selectors.EVENT_READ)
        limit = self._watch(contained)
        if limit == "timeout":
            self._hear_last_words(contained)
        self._kill_everything(contained)
        self._drain(contained)
        end = self._end(contained, limit)
        if end.how == "signalled" and end.code == -int(signal.SIGKILL) and processes.oom_kills() > oom_kills:
            end = end._replace(how="out-of-memory")
        if end.how == "out-of-memory" and self.job.limits.memory_bytes is not None:
            self.peak_bytes = max(self.peak_bytes, self.job.limits.memory_bytes)  # who saw it first was not us
        self._record(end, contained.name)

    def _watch(self, contained: Contained) -> str:
        """Pump and measure until the job ends, passes a limit or is told to end; says which."""
        sample_at = time.monotonic() + SAMPLE_S[0]
        while True:
            now = time.monotonic()
            self._pump(contained.output, min(sample_at, self.deadline) - now)
            if self.status is not None:
                return "ended"
            if self.terminated:
                return "terminated"
            now = time.monotonic()
            if now >= self.deadline:
                return "timeout"
            if now >= sample_at:
                began_s = time.process_time()  # a look that only had to wait for its turn was not dear
                members = contained.members()
                limits = self.job.limits
                used = processes.memory_of(members, limits.memory_bytes)
                self.peak_bytes = max(self.peak_bytes, used)
                if limits.memory_bytes is not None and used > limits.memory_bytes:
                    return "out-of-memory"
                if limits.tasks is not None and sum(member.threads for member in members.values()) > limits.tasks:
                    return "too-many-tasks"
                if self.room.is_used_up():
                    return "disk-full"
                sample_at = time.monotonic() + self._pause(used, time.process_time() - began_s)

    def _pause(self, used: int, cost_s: float) -> float:
        """Seconds to the next look: soon where a limit is near or the job is young, seldom where looking is dear."""
        shortest, longest = SAMPLE_S
        longest = min(longest, (time.monotonic() - self.started_at) / 4)
        limit = self.job.limits.memory_bytes
        headroom = [self.room.left_bytes()] if limit is None else [limit - used, self.room.left_bytes()]
        headroom_s = min(headroom) / FASTEST_GROWTH_BYTES_PER_S
        return max(min(max(headroom_s, shortest), longest), cost_s / SAMPLE_COST_SHARE)

    def _pump(self, output: int, patience_s: float) -> None:
        for key, _ in self.selector.select(max(0.0, patience_s)):
            if key.fd == self.woken:
                _read(self.woken)
                self._reap()
                continue
            data = _read(output)
            if data:
                self.log.feed(data)
            elif data == b"":
                self.selector.unregister(output)

    def _hear_last_words(self, contained: Contained) -> None:
        contained.abort()
        until = time.monotonic() + LAST_WORDS_S
        while self.status is None and time.monotonic() < until:
            self._pump(contained.output, until - time.monotonic())

    def _kill_everything(self, contained: Contained) -> None:
        """Kill until no child is left: orphans become our children, so none can hide."""
        until = time.monotonic() + KILL_PATIENCE_S
        while time.monotonic() < until:
            if self.status is None:
                contained.kill()
            for pid in processes.descendants(os.getpid()):
                processes.send(pid, signal.SIGKILL)
            processes.kill_group(self.pid)
            if not self._reap():
                return
            self._pump(contained.output, 0.01)

    def _reap(self) -> bool:
        """Collect who has ended; whether any child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.pid and self.status is None:
                self.status = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _drain(self, contained: Contained) -> None:
        """Read what lies in the pipe, and no more than a pipe holds, should anyone still write."""
        for _ in range(PIPE_BYTES // 4096):
            data = _read(contained.output)
            if not data:
                return
            self.log.feed(data)

    def _end(self, contained: Contained, limit: str) -> End:
        status = self.status if self.status is not None else -int(signal.SIGKILL)
        end = contained.end(status)
        if limit == "terminated":
            return End("signalled", -int(signal.SIGTERM), end.cpu_time_s)
        if limit != "ended":
            return End(limit, end.code, end.cpu_time_s)
        if end.code == -int(signal.SIGXFSZ):
            return end._replace(how="file-too-large")
        return end

    def _record(self, end: End, name: str) -> None:
        folders.give_back(self.folder)
        dropped = self.log.finish()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        largest = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        used_s = end.cpu_time_s if end.cpu_time_s is not None else usage.ru_utime + usage.ru_stime
        record = {
            "end": end.how,
            "code": end.code,
            "wall_time_s": round(time.monotonic() - self.started_at, 3),
            "cpu_time_s": round(used_s, 3),
            "peak_memory_bytes": max(self.peak_bytes, 0 if name == "systemd" else largest),
            "output_bytes": self.log.size,
            "output_dropped_bytes": dropped,
            "containment": name,
        }
        folders.write_whole(self.folder / "exit", json.dumps(record))

    def _listen_for_signals(self) -> int:
        woken, waker = os.pipe()
        for end in (woken, waker):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._terminate())
        self.selector.register(woken, selectors.EVENT_READ)
        return woken

    def _terminate(self) -> None:
        self.terminated = True


def supervisor_of(folder: Path) -> int:
    """The process id of a job folder's supervisor; 0 where it has left none."""
    try:
        return int((folder / "supervisor").read_text("ascii"))
    except (OSError, ValueError):
        return 0


def _read(descriptor: int) -> bytes | None:
    """A piece of what is there; None where nothing is, empty at the end."""
    try:
        return os.read(descriptor, CHUNK_BYTES)
    except BlockingIOError:
        return None
    except OSError:
        return b""


def let_go_of_the_terminal() -> None:
    """Keep nothing open that whoever launched us waits for."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        with contextlib.suppress(OSError):
            os.dup2(null, descriptor)
