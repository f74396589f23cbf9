"""Boot a machine: namespaces of its own, a root folder of its own, a first process that outlives nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from localcloud.machines import linux
from localcloud.machines.plan import EXIT_REBOOT, EXIT_SHUTDOWN, METADATA_ADDRESS

NAMESPACES = {
    "mnt": linux.CLONE_NEWNS,
    "pid": linux.CLONE_NEWPID,
    "ipc": linux.CLONE_NEWIPC,
    "uts": linux.CLONE_NEWUTS,
    "net": linux.CLONE_NEWNET,
    "user": linux.CLONE_NEWUSER,
}


class Wish(IntEnum):
    """What a machine wants of who keeps it, as summands of one number: each may be there many times."""

    RELOAD_SSH = 1
    MANAGE_UNITS = 1 << 32


def wishes(total: int) -> set[Wish]:
    """Take a sum of wishes apart."""
    reloads, manages = total % Wish.MANAGE_UNITS, total // Wish.MANAGE_UNITS
    return ({Wish.RELOAD_SSH} if reloads else set()) | ({Wish.MANAGE_UNITS} if manages else set())


@dataclass(frozen=True, slots=True)
class Booted:
    """A machine that runs: the process to wait for, its first process, and its namespaces as open descriptors.

    `wishes` is an event descriptor to which the machine adds a `Wish` each time it has one.
    """

    watcher: int
    first: int
    namespaces: dict[str, int]
    wishes: int


def boot(kinds: tuple[str, ...], hostname: str, assemble: Callable[[], None], root: str) -> Booted:
    """Start a machine with namespaces of those kinds; returns when its first process waits.

    Raises OSError when the kernel or the container around us refuses. The caller has one thread only.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    wishes = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    watcher = os.fork()
    if watcher == 0:
        os.close(reader)
        _watch(kinds, hostname, assemble, root, _Wires(writer, wishes))
    os.close(writer)
    with os.fdopen(reader) as answers:
        said = dict(line.rstrip("\n").split(" ", 1) for line in answers)
    if "failed" in said or "ready" not in said:
        os.close(wishes)
        os.waitpid(watcher, 0)
        raise OSError(said.get("failed", "the machine's first process died at once"))
    first = int(said["first"])
    opened = {kind: os.open(f"/proc/{first}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in kinds}
    return Booted(watcher, first, opened, wishes)


@dataclass(frozen=True, slots=True)
class _Wires:
    """The way back from a machine that boots: `answers` ends when it is up, `wishes` lasts as long as it runs."""

    answers: int
    wishes: int


def _watch(kinds: tuple[str, ...], hostname: str, assemble: Callable[[], None], root: str, wires: _Wires) -> None:
    """Be the parent of the machine's first process: a PID namespace begins with a child, never with oneself."""
    code = 1
    try:
        linux.die_with_parent(signal.SIGKILL)
        uid, gid = os.getuid(), os.getgid()
        flags = 0
        for kind in kinds:
            flags |= NAMESPACES[kind]
        linux.unshare(flags)
        if "user" in kinds:
            linux.map_to_root(uid, gid)
        first = os.fork()
        if first == 0:
            _be_first(kinds, hostname, assemble, root, wires)
        os.write(wires.answers, f"first {first}\n".encode())
        os.close(wires.answers)
        code = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
    except BaseException as error:
        os.write(wires.answers, f"failed {error}\n".encode())
    finally:
        os._exit(code if code in (EXIT_SHUTDOWN, EXIT_REBOOT) else 1)


def _be_first(kinds: tuple[str, ...], hostname: str, assemble: Callable[[], None], root: str, wires: _Wires) -> None:
    """Be process 1 of the machine: reap what is left behind, end when asked to shut down; never returns."""
    code = 1
    try:
        linux.die_with_parent(signal.SIGKILL)
        wanted = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD}
        signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
        linux.keep_mounts_private()
        if "net" in kinds:
            linux.loopback_up(METADATA_ADDRESS)
        linux.set_hostname(hostname)
        assemble()
        linux.change_root(root)
        os.umask(0o022)
        os.write(wires.answers, b"ready 1\n")
        wishes = _close_all_descriptors_but(wires.wishes)
        code = _reap(wanted, wishes)
    except BaseException as error:
        os.write(wires.answers, f"failed {error}\n".encode())
    finally:
        os._exit(code)


def _reap(wanted: set[signal.Signals], wishes: int) -> int:
    while True:
        asked = signal.sigwait(wanted)
        if asked == signal.SIGTERM:
            return EXIT_SHUTDOWN
        if asked == signal.SIGINT:
            return EXIT_REBOOT
        if asked == signal.SIGHUP:
            os.eventfd_write(wishes, Wish.RELOAD_SSH)
        if asked == signal.SIGUSR1:
            os.eventfd_write(wishes, Wish.MANAGE_UNITS)
        while _reap_one():
            pass


def _reap_one() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def _close_all_descriptors_but(wishes: int) -> int:
    """Let nothing of ours be reached through /proc/1/fd of the machine: an event descriptor cannot be opened there.

    Gives the number that one has from now on.
    """
    kept = os.dup2(wishes, 3, inheritable=False) if wishes != 3 else wishes
    nothing = os.open("/dev/null", os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    os.closerange(4, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 1 << 20 else 1 << 20)
    return kept
