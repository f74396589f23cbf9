"""Supervise one job on a host to its end.

Standard library only, Python 3.8 or newer, Linux or (without the memory of escaped children) macOS: this file is
pushed beside the submission and run by the host's own Python. In a job folder it keeps `lock` (held while the job
lives), `supervisor` (its process id), `log` (capped output) and at the end `exit` (JSON of contracts.work.JobExit).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
import traceback
from collections import deque
from pathlib import Path

ALREADY_LAUNCHED = 75
LOST = 70

LOG_HEAD_BYTES = 512 * 1024
LOG_TAIL_BYTES = 512 * 1024
CHUNK_BYTES = 256 * 1024
PIPE_BYTES = 1024 * 1024
FASTEST_GROWTH_BYTES_PER_S = 2 * 1024**3
SAMPLE_S = (0.02, 1.0)
SAMPLE_COST_SHARE = 0.02
LAST_WORDS_S = 0.5
KILL_PATIENCE_S = 20
NICE = 5
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
MARK = "RAMPART_JOB"


def main() -> int:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(description="Supervise one job on a host to its end.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    launching = verbs.add_parser("launch")
    launching.add_argument("folder", type=Path)
    launching.add_argument("--cwd", type=Path, required=True)
    launching.add_argument("--timeout-s", type=float, required=True)
    launching.add_argument("--memory-limit-bytes", type=int)
    launching.add_argument("--n-threads", type=int)
    launching.add_argument("argv", nargs="+")
    for verb in ("wait", "kill"):
        verbs.add_parser(verb).add_argument("folder", type=Path)
    options = parser.parse_args()
    options.folder = options.folder.resolve()
    if options.verb == "launch":
        return launch(options)
    return wait(options.folder) if options.verb == "wait" else kill(options.folder)


def launch(options: argparse.Namespace) -> int:
    """Take the lock, then leave a detached supervisor behind; 75 where this job was launched before."""
    folder = options.folder
    lock = os.open(str(folder / "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(os.open(str(folder / "started"), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except (BlockingIOError, FileExistsError):
        return ALREADY_LAUNCHED
    ready, getting_ready = os.pipe()
    child = os.fork()
    if child:
        os.close(getting_ready)
        os.read(ready, 1)  # ends when the supervisor listens, so that a kill right after us finds it
        return os.waitpid(child, 0)[1]
    os.setsid()
    if os.fork():
        os._exit(0)
    try:
        _let_go_of_the_terminal()
        supervisor = Supervisor(options)
        os.close(getting_ready)
        supervisor.run()
    except BaseException:
        (folder / "supervisor-error").write_text(traceback.format_exc())
    finally:
        os._exit(0)  # the lock goes with us, after `exit` was written


def wait(folder: Path) -> int:
    """Block until the lock is free, then print the exit record; 70 where there is none."""
    with (folder / "lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
    try:
        record = (folder / "exit").read_text("ascii")
    except FileNotFoundError:
        _sweep(folder)
        with contextlib.suppress(OSError):
            sys.stderr.write((folder / "supervisor-error").read_text())
        return LOST
    print(record, flush=True)
    return 0


def kill(folder: Path) -> int:
    """End the job; returns when every process of it is dead."""
    with contextlib.suppress(FileNotFoundError), (folder / "lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            supervisor = _supervisor_of(folder)
            _signal(supervisor, signal.SIGTERM)
            signal.signal(signal.SIGALRM, lambda *_: _signal(supervisor, signal.SIGKILL))
            signal.alarm(KILL_PATIENCE_S)
            fcntl.flock(lock, fcntl.LOCK_SH)
            signal.alarm(0)
    _sweep(folder)
    return 0


class Supervisor:
    """One job: its process tree, its log, its limits and its exit record."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.folder = options.folder
        self.options = options
        self.log = CappedLog(self.folder / "log")
        self.started_at = time.monotonic()
        self.deadline = self.started_at + options.timeout_s
        self.limit = options.memory_limit_bytes
        self.peak = 0
        self.terminated = False
        self.job = 0
        self.status = None  # type: int | None
        self.selector = selectors.DefaultSelector()
        self.woken = self._listen_for_signals()
        _write_whole(self.folder / "supervisor", str(os.getpid()))

    def run(self) -> None:
        """Start the job, watch it, clear up behind it, write the record."""
        _adopt_orphans()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        oom_kills = _oom_kills()
        try:
            output = self._start()
        except OSError as error:
            self.log.feed(("could not start " + self.options.argv[0] + ": " + str(error) + "\n").encode())
            self._record("exited", 127)
            return
        end = self._watch(output)
        if end == "timeout":
            self._hear_last_words(output)
        self._kill_everything(output)
        self._drain(output)
        code = self.status if self.status is not None else -int(signal.SIGKILL)
        if end == "ended":
            end = "signalled" if code < 0 else "exited"
            if code == -int(signal.SIGKILL) and _oom_kills() > oom_kills:
                end = "out-of-memory"
        self._record(end, code)

    def _start(self) -> int:
        reader, writer = os.pipe()
        with contextlib.suppress(OSError, AttributeError):
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        try:
            job = subprocess.Popen(
                self.options.argv,
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=subprocess.STDOUT,
                cwd=str(self.options.cwd),
                env=job_environment(self.folder, self.options.argv[0], self.options.n_threads),
                start_new_session=True,
                preexec_fn=_die_with_the_supervisor,
            )
        finally:
            os.close(writer)
        self.job = job.pid
        job.returncode = 0  # it is reaped here, with everything else
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, job.pid, NICE)
        with contextlib.suppress(OSError):
            Path("/proc", str(job.pid), "oom_score_adj").write_text("500")  # before sshd, if the host runs out
        os.set_blocking(reader, False)
        self.selector.register(reader, selectors.EVENT_READ)
        return reader

    def _watch(self, output: int) -> str:
        """Pump and measure until the job ends, passes a limit or is told to end; says which."""
        sample_at = time.monotonic() + SAMPLE_S[0]
        while True:
            now = time.monotonic()
            self._pump(output, min(sample_at, self.deadline) - now)
            if self.status is not None:
                return "ended"
            if self.terminated:
                self.status = -int(signal.SIGTERM)
                return "signalled"
            now = time.monotonic()
            if now >= self.deadline:
                return "timeout"
            if now >= sample_at:
                used = memory_of(descendants(os.getpid()), self.limit)
                self.peak = max(self.peak, used)
                if self.limit is not None and used > self.limit:
                    return "out-of-memory"
                sample_at = time.monotonic() + self._pause(used, time.monotonic() - now)

    def _pause(self, used: int, cost_s: float) -> float:
        """Seconds to the next look at the memory: soon where the limit is near, seldom where looking is dear."""
        shortest, longest = SAMPLE_S
        headroom_s = longest if self.limit is None else (self.limit - used) / FASTEST_GROWTH_BYTES_PER_S
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

    def _hear_last_words(self, output: int) -> None:
        """Let Python's fault handler write where the code stood when its time was over."""
        _signal(self.job, signal.SIGABRT)
        until = time.monotonic() + LAST_WORDS_S
        while self.status is None and time.monotonic() < until:
            self._pump(output, until - time.monotonic())

    def _kill_everything(self, output: int) -> None:
        """Kill until no child is left: orphans become our children, so none can hide."""
        until = time.monotonic() + KILL_PATIENCE_S
        while time.monotonic() < until:
            for pid in descendants(os.getpid()):
                _signal(pid, signal.SIGKILL)
            _signal_group(self.job)
            if not self._reap():
                return
            self._pump(output, 0.01)

    def _reap(self) -> bool:
        """Collect who has ended; whether any child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid == self.job and self.status is None:
                self.status = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _drain(self, output: int) -> None:
        """Read what lies in the pipe, and no more than a pipe holds, should anyone still write."""
        for _ in range(PIPE_BYTES // 4096):
            data = _read(output)
            if not data:
                return
            self.log.feed(data)

    def _record(self, end: str, code: int) -> None:
        dropped = self.log.finish()
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        largest = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        record = {
            "end": end,
            "code": code,
            "wall_time_s": round(time.monotonic() - self.started_at, 3),
            "cpu_time_s": round(usage.ru_utime + usage.ru_stime, 3),
            "peak_memory_bytes": max(self.peak, largest),
            "output_bytes": self.log.size,
            "output_dropped_bytes": dropped,
        }
        _write_whole(self.folder / "exit", json.dumps(record))

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


class CappedLog:
    """A log of bounded size: its head is on disk at once, its tail when it ends, what lies between is counted."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb", buffering=0)
        self.size = 0
        self.room = LOG_HEAD_BYTES
        self.tail = deque()  # type: deque[bytes]
        self.tail_size = 0
        self.dropped = 0

    def feed(self, data: bytes) -> None:
        """Take a piece of output."""
        self.size += len(data)
        head, rest = data[: self.room], data[self.room :]
        if head:
            self._put(head)
            self.room -= len(head)
        if rest:
            self.tail.append(rest)
            self.tail_size += len(rest)
        while self.tail and self.tail_size - len(self.tail[0]) >= LOG_TAIL_BYTES:
            gone = len(self.tail.popleft())
            self.tail_size -= gone
            self.dropped += gone

    def finish(self) -> int:
        """Write the tail; gives the number of bytes that were dropped."""
        if self.dropped:
            self._put(f"\n[... {self.dropped} bytes of output dropped ...]\n".encode())
        for piece in self.tail:
            self._put(piece)
        self.file.close()
        return self.dropped

    def _put(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # a full disk must not end the supervision
            self.file.write(data)


def job_environment(folder: Path, program: str, n_threads: int | None) -> dict[str, str]:
    """All a job may know: nothing of the host's or the organiser's environment is handed on."""
    for name in ("home", "tmp"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    environment = {
        "PATH": str(Path(program).parent) + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",  # what was printed before a kill is in the log
        "PYTHONFAULTHANDLER": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        MARK: str(folder),
    }
    if n_threads is not None:
        environment.update((name, str(n_threads)) for name in THREAD_VARIABLES)
    return environment


def descendants(ancestor: int) -> dict[int, int]:
    """Every process below `ancestor`, with its resident memory in bytes."""
    processes = _processes()
    children = {}  # type: dict[int, list[int]]
    for pid, (parent, _) in processes.items():
        children.setdefault(parent, []).append(pid)
    found = {}  # type: dict[int, int]
    waiting = [ancestor]
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found[child] = processes[child][1]
                waiting.append(child)
    return found


def memory_of(members: dict[int, int], limit: int | None) -> int:
    """Memory of a process tree in bytes; pages its members share count once where that decides."""
    resident = sum(members.values())
    if len(members) < 2 or (limit is not None and resident <= limit):
        return resident
    return sum(_proportional(pid, own) for pid, own in members.items())


def _proportional(pid: int, otherwise: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines()
    except OSError:
        return otherwise
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(b"Pss:")), otherwise)


def _processes() -> dict[int, tuple[int, int]]:
    """Parent and resident memory of every process of the host."""
    if not Path("/proc/self").is_dir():
        listing = subprocess.run(["ps", "-axo", "pid=,ppid=,rss="], stdout=subprocess.PIPE, check=False).stdout
        rows = [[int(field) for field in line.split()] for line in listing.splitlines()]
        return {pid: (parent, rss * 1024) for pid, parent, rss in rows}
    page = resource.getpagesize()
    found = {}
    with os.scandir("/proc") as entries:
        names = [entry.name for entry in entries if entry.name.isdigit()]
    for name in names:
        with contextlib.suppress(OSError):  # it may have ended since
            fields = Path(f"/proc/{name}/stat").read_bytes().rpartition(b")")[2].split()
            found[int(name)] = (int(fields[1]), int(fields[21]) * page)
    return found


def _sweep(folder: Path) -> None:
    """Kill what a dead supervisor left: its job dies with it, the job's children bear its mark."""
    mark = (MARK + "=" + str(folder)).encode()
    for _ in range(100):
        left = [pid for pid in _processes() if pid != os.getpid() and mark in _environment_of(pid)]
        if not left:
            return
        for pid in left:
            _signal(pid, signal.SIGKILL)


def _environment_of(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _adopt_orphans() -> None:
    """Become the parent of whatever loses its own below us (Linux; elsewhere the process group must do)."""
    _prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def _die_with_the_supervisor() -> None:
    _prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _oom_kills() -> int:
    """How often the kernel of this host has killed for want of memory; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_bytes().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(b"oom_kill ")), 0)


def _supervisor_of(folder: Path) -> int:
    try:
        return int((folder / "supervisor").read_text("ascii"))
    except (OSError, ValueError):
        return 0


def _signal(pid: int, number: int) -> None:
    if pid > 1:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _signal_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _read(descriptor: int) -> bytes | None:
    """A piece of what is there; None where nothing is, empty at the end."""
    try:
        return os.read(descriptor, CHUNK_BYTES)
    except BlockingIOError:
        return None


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, after a power cut too."""
    draft = path.with_name(path.name + ".new")
    with draft.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(str(path.parent), os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _let_go_of_the_terminal() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


if __name__ == "__main__":
    sys.exit(main())
