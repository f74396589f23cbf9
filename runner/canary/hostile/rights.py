"""Become more than one is: root, another user, a machine without walls."""

from __future__ import annotations

import ctypes
import glob
import os
import shutil
import stat
import subprocess
from functools import partial

from runner.canary.hostile.trying import MADE, Impossible, Plan, Stopped, any_of, number_of, system_call

_NAMESPACES = {
    "user": 0x10000000,
    "mount": 0x00020000,
    "network": 0x40000000,
    "process": 0x20000000,
    "ipc": 0x08000000,
}
_MS_REMOUNT, _MS_BIND = 32, 4096
_SETUID = ("su", "passwd", "newgrp", "chfn", "chsh", "mount", "umount", "sudo", "pkexec", "fusermount3")
_DEVICES = (
    *("/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/kvm", "/dev/fuse", "/dev/loop-control", "/dev/net/tun"),
    *("/dev/vsock", "/dev/vhost-vsock", "/dev/uinput", "/dev/input/event0", "/dev/tty0", "/dev/console"),
    *("/dev/sd?*", "/dev/vd?*", "/dev/xvd?*", "/dev/nvme*", "/dev/loop?*", "/dev/dm-*", "/dev/disk/*/*"),
)
_KNOBS = (
    *("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sys/kernel/modprobe"),
    *("/proc/sys/vm/overcommit_memory", "/proc/sysrq-trigger", "/sys/kernel/uevent_helper", "/sys/power/state"),
    "/sys/fs/cgroup/cgroup.procs",
)
_KEY_USER, _KEY_SESSION, _SEARCH, _READ = -4, -3, 10, 11


def sudo(plan: Plan) -> str:
    """Run something as root by the programs made for it."""
    commands = (
        ("sudo", "-n", "id", "-u"),
        ("su", "-s", "/bin/sh", "root", "-c", "id -u"),
        ("pkexec", "--disable-internal-agent", "id", "-u"),
        ("doas", "-n", "id", "-u"),
    )
    return any_of(partial(_as_root, command) for command in commands)


def setuid_made(plan: Plan) -> str:
    """Leave a program that gives its owner's rights to whoever runs it."""
    path = os.path.join(plan.own_folder, f"{plan.token}-setuid")
    shutil.copy("/bin/sh", path)
    os.chmod(path, 0o6755)  # noqa: S103 - what is tried
    mode = os.stat(path).st_mode
    if not mode & (stat.S_ISUID | stat.S_ISGID):
        raise Stopped("the bits do not stay")
    return MADE + "a program with these bits"


def setuid_existing(plan: Plan) -> str:
    """Run the system's own programs of that kind, and see whether they are root."""
    if os.getuid() == 0 and os.geteuid() == 0 and _capabilities():
        return "is root already, with capabilities"
    found = [path for path in map(shutil.which, _SETUID) if path and os.stat(path).st_mode & stat.S_ISUID]
    if not found:
        raise Stopped("none is in sight")
    return any_of(partial(_effective, path) for path in found)


def mounts(plan: Plan) -> str:
    """Mount something, or make the system writable again."""
    call = number_of(165, 40)
    own = os.path.join(plan.home, "mount").encode()
    os.makedirs(own, exist_ok=True)

    def mounted() -> str:
        system_call(call, b"none", own, b"tmpfs", ctypes.c_ulong(0), None)
        system_call(number_of(166, 39), own, ctypes.c_int(0))
        return "mounted a file system"

    def bound() -> str:
        system_call(call, b"/", own, None, ctypes.c_ulong(_MS_BIND), None)
        system_call(number_of(166, 39), own, ctypes.c_int(2))
        return "mounted / once more"

    def remounted() -> str:
        system_call(call, b"none", b"/proc", None, ctypes.c_ulong(_MS_REMOUNT | _MS_BIND), None)
        return "remounted /proc"

    def through_files() -> str:
        os.close(system_call(number_of(430, 430), b"tmpfs", ctypes.c_uint(0)))
        return "opened a file system to mount"

    return any_of((mounted, bound, remounted, through_files))


def namespaces(plan: Plan) -> str:
    """Make namespaces, in which one is root and more of the kernel can be reached."""
    return any_of(partial(_unshared, name, flag) for name, flag in _NAMESPACES.items())


def devices(plan: Plan) -> str:
    """Open disks and memory, or make a device that is one."""
    there = [path for pattern in _DEVICES for path in glob.glob(pattern)]
    own = os.path.join(plan.home, "disk")

    def made() -> str:
        os.mknod(own, 0o600 | stat.S_IFBLK, os.makedev(7, 0))
        os.close(os.open(own, os.O_RDONLY | os.O_NONBLOCK))
        return "made a block device and opened it"

    return any_of([*(partial(_device, path) for path in there), made])


def kernel(plan: Plan) -> str:
    """Turn the kernel's knobs, load code into it."""

    def module() -> str:
        system_call(number_of(175, 105), b"none", ctypes.c_ulong(4), b"")
        return "loaded a module"

    def program() -> str:
        os.close(system_call(number_of(321, 280), ctypes.c_int(0), ctypes.create_string_buffer(128), ctypes.c_uint(72)))
        return "made a BPF map"

    def watching() -> str:
        os.close(system_call(number_of(323, 282), ctypes.c_int(0)))
        return "handles page faults of its own (userfaultfd)"

    return any_of([*(partial(_turned, path) for path in _KNOBS), module, program, watching])


def keyring(plan: Plan) -> str:
    """Look into the keyrings of whoever logs in."""
    if not plan.bait_key:
        raise Impossible("the host's kernel keeps no keys")
    keyctl = number_of(250, 219)

    def found(ring: int) -> str:
        number = system_call(
            keyctl, ctypes.c_int(_SEARCH), ctypes.c_int(ring), b"user", plan.bait_key.encode(), ctypes.c_int(0)
        )
        room = ctypes.create_string_buffer(100)
        system_call(keyctl, ctypes.c_int(_READ), ctypes.c_int(number), room, ctypes.c_ulong(100))
        return room.value.decode("ascii", "replace")

    return any_of(partial(found, ring) for ring in (_KEY_USER, _KEY_SESSION))


def _as_root(command: tuple[str, ...]) -> str:
    if shutil.which(command[0]) is None:
        raise Impossible(f"no {command[0]} here")
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=0.5, check=False)
    except subprocess.TimeoutExpired as late:
        raise Stopped(f"{command[0]} gives no answer") from late
    if done.stdout.strip() == b"0":
        return f"{command[0]} runs programs as root"
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    raise Stopped(said[0] if said else f"{command[0]} ended with {done.returncode}")


def _effective(path: str) -> str:
    """Whom a program runs as; it is ended at once, and never gets an answer."""
    process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with open(f"/proc/{process.pid}/status", encoding="ascii", errors="replace") as file:
            users = [line.split()[1:] for line in file if line.startswith("Uid:")]
    finally:
        process.kill()
        process.communicate()
    if users and users[0][1] == "0" and os.geteuid() != 0:
        return f"{path} runs as root"
    raise Stopped("programs gain nothing by their owner")


def _capabilities() -> bool:
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        held = [line.split()[1] for line in file if line.startswith("CapEff:")]
    return any(int(mask, 16) for mask in held)


def _unshared(name: str, flag: int) -> str:
    system_call(number_of(272, 97), ctypes.c_int(flag))
    return f"made a {name} namespace"


def _device(path: str) -> str:
    mode = os.stat(path).st_mode
    if not stat.S_ISBLK(mode) and not stat.S_ISCHR(mode):
        raise Impossible(f"{path} is no device")
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    return f"opened {path}"


def _turned(path: str) -> str:
    if not os.path.lexists(path):
        raise Impossible(f"no {path} here")
    os.close(os.open(path, os.O_WRONLY))
    return f"may write to {path}"
