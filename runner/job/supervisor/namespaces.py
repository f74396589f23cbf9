"""Run a job in namespaces of its own: no network, no other process, a read-only system with its own folders in it."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
from collections.abc import Sequence
from pathlib import Path

from runner.job.supervisor import contained, devices, processes, seccomp, syscalls
from runner.job.supervisor.accounts import Account
from runner.job.supervisor.contained import Contained, End
from runner.job.supervisor.job import SPARE_TASKS, CannotContain, Job
from runner.job.supervisor.view import EMPTY, SCRATCH, WRITABLE, View

_KINDS = (
    syscalls.CLONE_NEWNS | syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNET | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
)
_QUIET = syscalls.MS_NOSUID | syscalls.MS_NODEV
_STARTED = b"started\n"
_PATIENCE_S = 30.0
_SCRATCH_FILES = 100_000


class Namespaced(Contained):
    """A job in namespaces. `pid` is the process outside, whose one child is the first process inside."""

    def __init__(self, name: str, pid: int, output: int, report: int) -> None:
        super().__init__(pid, output)
        self.name = name
        self._report = report

    def abort(self) -> None:
        for pid in self.members():
            if _number_inside(pid) == "2":  # the first child of the first process
                processes.send(pid, signal.SIGABRT)

    def kill(self) -> None:
        # the kernel ends every process of a namespace with its first one
        for pid, process in self.members().items():
            if process.parent == self.pid:
                processes.send(pid, signal.SIGKILL)
        processes.send(self.pid, signal.SIGKILL)

    def end(self, status: int) -> End:  # noqa: ARG002 - the first process inside has told
        said = _read_all(self._report)
        os.close(self._report)
        code = int(said) if said.lstrip(b"-").isdigit() else -int(signal.SIGKILL)
        return End("signalled" if code < 0 else "exited", code)


def start(job: Job) -> Contained:
    """Start the job as its account, or in a user namespace where the supervisor has no right to choose.

    Raises CannotContain where the kernel, or the container around us, refuses; OSError where the program cannot run.
    """
    name = "namespaces" if job.account is not None else "user-namespace"
    reader, writer = contained.output_pipe()
    report, reporter = os.pipe()
    supervisor = os.getpid()
    child = os.fork()
    if child == 0:
        _stand_outside(job, writer, reporter, supervisor)
    os.close(writer)
    os.close(reporter)
    try:
        _await_start(report, job.argv[0])
    except BaseException:
        processes.send(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reader)
        os.close(report)
        raise
    return Namespaced(name, child, reader, report)


def _await_start(report: int, program: str) -> None:
    said = b""
    while not said.startswith(_STARTED):
        if not select.select([report], [], [], _PATIENCE_S)[0]:
            raise CannotContain("the namespaces were not ready in time")
        piece = os.read(report, 1)
        if not piece:
            break
        said += piece
    if said.startswith(_STARTED):
        return
    text = said.decode("utf-8", "replace").strip()
    if text.startswith("program "):
        raise OSError(f"{program}: {text[8:]}")
    raise CannotContain(text or "its first process died")


def _stand_outside(job: Job, output: int, reporter: int, supervisor: int) -> None:
    """Be the parent of the first process inside: a PID namespace begins with a child. Never returns."""
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(1)
        os.setsid()
        _hear_signals_as_others_do()
        _keep_only(output, reporter)
        contained.set_limits(job.limits)
        contained.go_first()
        take_namespaces(is_another_user=job.account is not None)
        first = os.fork()
        if first == 0:
            _be_first(job, reporter)
        os.close(reporter)
        os.waitpid(first, 0)
    except BaseException as error:
        _report(reporter, f"{error}")
    finally:
        os._exit(0)


def _be_first(job: Job, reporter: int) -> None:
    """Be process 1 inside: build the walls, start the job, reap until it has ended. Never returns."""
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        syscalls.keep_mounts_private()
        syscalls.loopback_up()
        assemble(job.view)
        status_of_exec, told = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(status_of_exec)
            _be_job(job, told)
        os.close(told)
        failed = _read_all(status_of_exec)
        os.close(status_of_exec)
        if failed:
            _report(reporter, f"program {failed.decode('utf-8', 'replace')}")
            os._exit(0)
        os.write(reporter, _STARTED)
        for number in (0, 1, 2):
            os.close(number)  # the output ends with the job
        os.write(reporter, str(reaped(child)).encode())
    except BaseException as error:
        _report(reporter, f"{error}")
    finally:
        os._exit(0)


def _be_job(job: Job, told: int) -> None:
    """Give up every right, then become the program. Never returns."""
    try:
        os.setsid()
        if job.limits.tasks is not None:
            contained.limit_tasks(job.limits.tasks + SPARE_TASKS)
        give_up_rights(job.account)
        seccomp.refuse_what_no_job_needs()
        os.umask(0o022)
        os.chdir(job.cwd)
        os.execve(job.argv[0], job.argv, job.environment)  # noqa: S606 - no shell, on purpose
    except BaseException as error:
        _report(told, f"{error}")
    finally:
        os._exit(127)


def give_up_rights(account: Account | None) -> None:
    """Become the account, where there is one, and have no capability and no way to any."""
    syscalls.forbid_capabilities()
    if account is not None:
        os.setgroups([])
        os.setgid(account.gid)
        os.setuid(account.uid)
    else:
        syscalls.drop_capabilities()
    syscalls.take_no_new_rights()


def assemble(view: View) -> None:
    """Put the places of the view into the mount namespace, everything else read-only."""
    sources = {
        one.path: os.open(one.path, os.O_PATH | os.O_CLOEXEC) for one in view.mounts if one.kind not in (EMPTY, SCRATCH)
    }
    devices.mount_harmless()
    for one in view.mounts:
        if one.kind in (EMPTY, SCRATCH):
            os.makedirs(one.path, mode=0o755, exist_ok=True)  # noqa: PTH103 - as it may lie in another such place
        if one.kind == EMPTY:
            syscalls.mount("tmpfs", one.path, "tmpfs", _QUIET, "mode=755,size=1m")
        elif one.kind == SCRATCH:
            room = f"mode=1777,size={view.scratch_bytes},nr_inodes={_SCRATCH_FILES}"
            syscalls.mount("tmpfs", one.path, "tmpfs", _QUIET, room)
        else:
            _make_place(one.path, sources[one.path])
            syscalls.bind(f"/proc/self/fd/{sources[one.path]}", one.path)
    for descriptor in sources.values():
        os.close(descriptor)
    syscalls.make_read_only("/")
    for path in (*view.of(SCRATCH), *view.of(WRITABLE)):
        syscalls.make_writable(path)
    # a container that hides parts of /proc allows no other: then the one around us stays, in which it can signal nobody
    with contextlib.suppress(PermissionError):
        syscalls.mount("proc", "/proc", "proc", _QUIET | syscalls.MS_NOEXEC)


def _make_place(path: str, source: int) -> None:
    """What is mounted on needs to be there; in an empty folder it is made, as others may enter it."""
    if os.path.isdir(f"/proc/self/fd/{source}"):  # noqa: PTH112 - of a descriptor
        os.makedirs(path, mode=0o755, exist_ok=True)  # noqa: PTH103 - as above, once for each
    elif not Path(path).exists():
        Path(path).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        Path(path).touch()


def reaped(job: int) -> int:
    """Collect whoever ends until the job itself does; gives its exit code, or minus the signal."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == job:
            return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def take_namespaces(*, is_another_user: bool) -> None:
    """Take them as root; in a user namespace where we are not, or are a root that may not (as in a container).

    For another user's job that one keeps all the numbers users have outside, and needs the rights to say so.
    """
    if is_another_user:
        with contextlib.suppress(PermissionError):
            syscalls.unshare(_KINDS)
            return
    maps = _numbers("uid", is_another_user=is_another_user), _numbers("gid", is_another_user=is_another_user)
    ready, tell = os.pipe()
    helper = os.fork()
    if helper == 0:
        _write_maps(os.getppid(), maps, ready, tell)
    os.close(ready)
    try:
        syscalls.unshare(syscalls.CLONE_NEWUSER)
        os.write(tell, b".")
    finally:
        os.close(tell)
        status = os.waitpid(helper, 0)[1]
    if status != 0:
        raise PermissionError(errno.EPERM, "the users of a namespace may not be set")
    syscalls.unshare(_KINDS)


def _numbers(kind: str, *, is_another_user: bool) -> str:
    if not is_another_user:
        return f"0 {os.getuid() if kind == 'uid' else os.getgid()} 1"
    ranges = [line.split() for line in Path(f"/proc/self/{kind}_map").read_text().splitlines()]
    return "\n".join(f"{first} {first} {count}" for first, _, count in ranges)


def _write_maps(pid: int, maps: tuple[str, str], ready: int, tell: int) -> None:
    """From outside of the new user namespace, once it is there. Never returns."""
    code = 1
    try:
        os.close(tell)
        if os.read(ready, 1) == b".":
            folder = Path("/proc", str(pid))
            if os.getuid() != 0:
                (folder / "setgroups").write_text("deny")
            (folder / "gid_map").write_text(maps[1])
            (folder / "uid_map").write_text(maps[0])
            code = 0
    except OSError:
        code = 2
    finally:
        os._exit(code)


def _hear_signals_as_others_do() -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _keep_only(output: int, reporter: int) -> None:
    """Let nothing the supervisor has open reach the job: its lock least of all."""
    null = os.open(os.devnull, os.O_RDWR)
    for source, number in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, number)
    kept = sorted((0, 1, 2, reporter))
    for before, after in _gaps(kept):
        os.closerange(before, after)


def _gaps(kept: Sequence[int]) -> list[tuple[int, int]]:
    highest = min(os.sysconf("SC_OPEN_MAX"), 1 << 20)
    return [(before + 1, after) for before, after in zip(kept, (*kept[1:], highest))]  # noqa: B905 - Python 3.8


def _report(descriptor: int, text: str) -> None:
    try:
        os.write(descriptor, text.encode()[:1000])
    except OSError:
        return


def _read_all(descriptor: int) -> bytes:
    pieces = []  # type: list[bytes]
    while True:
        piece = os.read(descriptor, 4096)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def _number_inside(pid: int) -> str:
    """The process's number in its innermost namespace."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split()[-1] for line in lines if line.startswith("NSpid:")), "")
