"""Do what the command line asks: launch a job, wait for its end, kill it, or tell what it would be contained by."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import signal
import sys
from pathlib import Path

from runner.job.supervisor import accounts, containment, environment, folders, processes, systemd
from runner.job.supervisor.job import CannotContain, Job, Limits
from runner.job.supervisor.supervising import KILL_PATIENCE_S, Supervisor, let_go_of_the_terminal, supervisor_of
from runner.job.supervisor.view import job_view

ALREADY_LAUNCHED = 75
LOST = 70


def main() -> int:
    """Read the command line; gives the exit code."""
    options = _options()
    options.folder = options.folder.resolve()
    os.umask(0o022)
    verbs = {"launch": launch, "wait": wait, "kill": kill, "probe": probe}
    return verbs[options.verb](options)


def launch(options: argparse.Namespace) -> int:
    """Take the lock, then leave a detached supervisor behind; 75 where this job was launched before."""
    folder = options.folder
    lock = os.open(str(folder / "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
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
        let_go_of_the_terminal()
        job = _job(options)
        supervisor = Supervisor(job)
        os.close(getting_ready)
        supervisor.run(options.containment, strict=options.strict)
    except BaseException:
        import traceback  # what is loaded at each launch is what a launch costs

        (folder / "supervisor-error").write_text(traceback.format_exc())
    finally:
        os._exit(0)  # the lock goes with us, after `exit` was written


def wait(options: argparse.Namespace) -> int:
    """Block until the lock is free, then print the exit record; 70 where there is none."""
    folder = options.folder
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


def kill(options: argparse.Namespace) -> int:
    """End the job; returns when every process of it is dead."""
    folder = options.folder
    with contextlib.suppress(FileNotFoundError), (folder / "lock").open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            supervisor = supervisor_of(folder)
            processes.send(supervisor, signal.SIGTERM)
            signal.signal(signal.SIGALRM, lambda *_: processes.send(supervisor, signal.SIGKILL))
            signal.alarm(KILL_PATIENCE_S)
            fcntl.flock(lock, fcntl.LOCK_SH)
            signal.alarm(0)
    _sweep(folder)
    with contextlib.suppress(OSError):
        folders.give_back(folder)
    return 0


def probe(options: argparse.Namespace) -> int:
    """Contain a program that does nothing; print as JSON by what, and what kept it from stronger walls."""
    import tempfile

    with tempfile.TemporaryDirectory(dir=str(options.folder)) as made:
        options.folder = Path(made).resolve()
        options.argv = ["/bin/sh", "-c", ":"]
        job = _job(options)
        try:
            started = containment.start(job, options.containment, strict=options.strict)
        except CannotContain as error:
            print(json.dumps({"containment": "", "reasons": [str(error)]}), flush=True)
            return 0
        os.waitpid(started.contained.pid, 0)
        answer = {"containment": started.contained.name, "reasons": started.reasons}
    print(json.dumps(answer), flush=True)
    return 0


def _job(options: argparse.Namespace) -> Job:
    folder = options.folder
    account = accounts.job_account(folder, may_add=options.add_user)
    view = job_view(
        folder,
        shown=options.show,
        hidden=options.hide,
        memory_bytes=options.memory_bytes,
        is_other_user=account is not None,
    )
    limits = Limits(
        timeout_s=options.timeout_s,
        memory_bytes=options.memory_bytes,
        tasks=options.tasks,
        cpus=options.cpus,
        file_bytes=options.file_bytes,
        disk_bytes=options.disk_bytes,
    )
    known = environment.job_environment(folder, options.argv[0], options.n_threads)
    return Job(folder, tuple(options.argv), str(options.cwd), known, view, limits, account)


def _sweep(folder: Path) -> None:
    """Kill what a dead supervisor left: its job dies with it, the job's children bear its mark, a unit has a name."""
    systemd.end_unit_of(folder)
    mark = (environment.MARK + "=" + str(folder)).encode()
    for _ in range(100):
        left = processes.marked(mark)
        if not left:
            return
        for pid in left:
            processes.send(pid, signal.SIGKILL)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Supervise one job on a host to its end.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("launch", "probe"):
        starting = verbs.add_parser(verb)
        starting.add_argument("folder", type=Path)
        starting.add_argument("--cwd", type=Path, default=Path("/"))
        starting.add_argument("--timeout-s", type=float, default=60.0)
        starting.add_argument("--memory-bytes", type=int)
        starting.add_argument("--tasks", type=int)
        starting.add_argument("--cpus", type=float)
        starting.add_argument("--file-bytes", type=int)
        starting.add_argument("--disk-bytes", type=int)
        starting.add_argument("--n-threads", type=int)
        starting.add_argument("--show", action="append", default=[])
        starting.add_argument("--hide", action="append", default=[])
        starting.add_argument("--add-user", action="store_true")
        starting.add_argument("--strict", action="store_true")
        starting.add_argument("--containment", action="append", choices=containment.WAYS)
        if verb == "launch":
            starting.add_argument("argv", nargs="+")
    for verb in ("wait", "kill"):
        verbs.add_parser(verb).add_argument("folder", type=Path)
    options = parser.parse_args()
    if options.verb in ("launch", "probe"):
        options.containment = tuple(options.containment or containment.WAYS)
    return options
