"""Mount the root folder of a full machine: a copy-on-write view of this one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from localcloud.machines import linux
from localcloud.machines.plan import CALLS_INSIDE, INSIDE, RoomPlan

_QUIET = linux.MS_NOSUID | linux.MS_NODEV
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
# writing there changes the kernel under every machine
_KERNEL_KNOBS = ("sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi")
_KERNEL_SECRETS = ("kcore", "keys", "timer_list", "sched_debug", "latency_stats")


def assemble(plan: RoomPlan, machine: Path, layers: Sequence[str], calls: Path) -> None:
    """Mount everything at `machine`/root, to be called in a mount and PID namespace of its own.

    The working directory is the folder of layers: overlayfs takes paths relative to it, so that no character of an
    absolute path can be mistaken for a separator. `layers` are given topmost first.
    """
    root = f"{machine}/root"
    lower = ":".join([*layers, "/"])
    linux.mount("overlay", root, "overlay", 0, f"lowerdir={lower},upperdir={machine}/upper,workdir={machine}/work")
    mount_proc(root)
    linux.mount("sysfs", f"{root}/sys", "sysfs", _QUIET | linux.MS_NOEXEC | linux.MS_RDONLY)
    mount_devices(root)
    share_memory_folders(root, plan.memory_bytes)
    for folder in plan.shown:
        Path(root + folder).mkdir(parents=True, exist_ok=True)
        linux.bind(folder, root + folder, read_only=True)
    share_calls(root, calls)


def mount_proc(root: str) -> None:
    """Mount the process table of this PID namespace, with nothing in it that changes the kernel."""
    linux.mount("proc", f"{root}/proc", "proc", _QUIET | linux.MS_NOEXEC)
    for name in _KERNEL_KNOBS:
        path = f"{root}/proc/{name}"
        if Path(path).exists():
            linux.bind(path, path, read_only=True)
    for name in _KERNEL_SECRETS:
        path = f"{root}/proc/{name}"
        if Path(path).exists():
            linux.bind("/dev/null", path)


def mount_devices(root: str) -> None:
    """Mount a /dev with the harmless devices only."""
    dev = f"{root}/dev"
    linux.mount("tmpfs", dev, "tmpfs", linux.MS_NOSUID, "mode=755,size=64k")
    for name in _DEVICES:
        Path(dev, name).touch()
        linux.bind(f"/dev/{name}", f"{dev}/{name}")
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        Path(dev, name).symlink_to(target)
    Path(dev, "pts").mkdir()
    linux.mount("devpts", f"{dev}/pts", "devpts", linux.MS_NOSUID | linux.MS_NOEXEC, "newinstance,ptmxmode=0666")
    Path(dev, "ptmx").symlink_to("pts/ptmx")
    Path(dev, "shm").mkdir()


def share_memory_folders(root: str, memory_bytes: int) -> None:
    """Mount the folders that are empty after every boot."""
    for folder, mode in (("/tmp", "1777"), ("/dev/shm", "1777"), ("/run", "755")):  # noqa: S108 - the machine's own
        linux.mount("tmpfs", root + folder, "tmpfs", _QUIET, f"mode={mode},size={memory_bytes}")
    lock = Path(root, "run", "lock")
    lock.mkdir()
    lock.chmod(0o1777)
    Path(root, "run", "sshd").mkdir()  # as sshd's unit makes it, without which no sshd looks at its settings


def share_calls(root: str, calls: Path) -> None:
    """Show the file the stand-ins write their calls to."""
    Path(root + INSIDE).mkdir()
    Path(root + CALLS_INSIDE).touch()
    linux.bind(str(calls), root + CALLS_INSIDE)
