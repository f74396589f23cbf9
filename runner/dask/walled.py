"""Run a program that may be a stranger's by the time it ends, where there is nothing for it to gain.

Usage: walled.py --parent PID --reaches HOST PORT [--show PATH]... -- PROGRAM [WORD]..., started by PID. The program
has this one's standard streams, environment and exit code (128 and more: the signal). It ends with PID, whatever it
started ends with it. Where the walls cannot be built nothing is run: 125, and why not on standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import select
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[2])
from runner.dask import dialling  # noqa: E402
from runner.job.supervisor import accounts, contained, namespaces, seccomp, syscalls  # noqa: E402
from runner.job.supervisor.accounts import Account  # noqa: E402
from runner.job.supervisor.view import View, bare_view  # noqa: E402

NO_WALLS = 125
_NOT_STARTED = 127
_MOST_TASKS = 1024
_SCRATCH_BYTES = 64 * 2**20


def main() -> int:
    """Stand outside of the walls until the program, or who started us, has ended; gives the exit code."""
    options = _options()
    try:
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        os.chdir("/")
        with contextlib.suppress(PermissionError):  # it has a session already
            os.setsid()  # a terminal's Ctrl-C is for those who know what to do
        starter = os.pidfd_open(options.parent)
        if os.getppid() != options.parent:
            return NO_WALLS
        account = accounts.job_account(Path(__file__), may_add=False)
        is_other_user = account is not None
        view = bare_view(shown=options.show, scratch_bytes=_SCRATCH_BYTES, is_other_user=is_other_user)
        host, port = options.reaches[0], int(options.reaches[1])
        carrier = dialling.start(host, port)
        namespaces.take_namespaces(is_another_user=is_other_user)
        first = os.fork()
        if first == 0:
            _be_first(options.argv, account, view, carrier, port)
        carrier.close()
        _let_go_of_streams()
        return _awaited(first, starter)
    except OSError as error:
        print(error, file=sys.stderr)
        return NO_WALLS


def _awaited(first: int, starter: int) -> int:
    """The program's exit code; whoever is inside is ended by the kernel with the first process there."""
    inside = os.pidfd_open(first)
    ended, _, _ = select.select([inside, starter], [], [])
    if inside not in ended:
        signal.pidfd_send_signal(inside, signal.SIGKILL)
    status = os.waitpid(first, 0)[1]
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _be_first(argv: Sequence[str], account: Account | None, view: View, carrier: socket.socket, port: int) -> None:
    """Be process 1 inside: build the walls, start the program, reap until it has ended. Never returns."""
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        syscalls.keep_mounts_private()
        syscalls.loopback_up()
        namespaces.assemble(view)
        dialling.open_door(carrier, port)
        program = os.fork()
        if program == 0:
            _be_program(argv, account)
        _let_go_of_streams()
        code = namespaces.reaped(program)
        os._exit(code if code >= 0 else 128 - code)
    except BaseException as error:
        print(error, file=sys.stderr, flush=True)
    finally:
        os._exit(NO_WALLS)


def _be_program(argv: Sequence[str], account: Account | None) -> None:
    """Give up every right, then become the program. Never returns."""
    try:
        os.setsid()  # no terminal of ours is one that it could type into
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        contained.go_first()
        if account is not None:  # of our own user all others' tasks would count, too
            contained.limit_tasks(_MOST_TASKS)
        namespaces.give_up_rights(account)
        seccomp.refuse_what_no_job_needs()
        os.umask(0o077)
        os.chdir("/tmp")  # noqa: S108 - its own
        os.execvp(argv[0], list(argv))  # noqa: S606 - no shell, on purpose
    except BaseException as error:
        print(f"{argv[0]}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(_NOT_STARTED)


def _let_go_of_streams() -> None:
    """What is asked and answered is the program's alone: it ends with that one."""
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(null, number)
    os.close(null)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run a program behind walls.")
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--reaches", nargs=2, required=True, metavar=("HOST", "PORT"))
    parser.add_argument("--show", action="append", default=[], metavar="PATH")
    parser.add_argument("argv", nargs="+")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
