"""Call the Linux system calls that Python's standard library lacks."""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
from functools import cache
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture
_AT_RECURSIVE = 0x8000
_AT_FDCWD = -100
_MOUNT_ATTR_RDONLY = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_SIOCSIFADDR, _SIOCSIFNETMASK = 0x8916, 0x891C
_IFF_UP = 1


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{os.strerror(code)} ({what})")


def unshare(flags: int) -> None:
    """Give the calling process namespaces of its own."""
    _check(_libc().unshare(ctypes.c_int(flags)), "unshare")


def setns(fd: int) -> None:
    """Enter the namespace behind a descriptor."""
    _check(_libc().setns(ctypes.c_int(fd), ctypes.c_int(0)), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount; `kind` "" is for bind mounts and changes of propagation."""
    result = _libc().mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        os.fsencode(options) or None,
    )
    _check(result, f"mount {kind or source} on {target}")


def bind(source: str, target: str, *, read_only: bool = False, recursive: bool = False) -> None:
    """Show `source` at `target` too."""
    mount(source, target, flags=MS_BIND | (MS_REC if recursive else 0))
    if read_only:
        make_read_only(target)


def make_read_only(target: str) -> None:
    """Make a mount and every mount below it read-only."""
    attributes = struct.pack("QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    result = _libc().syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        os.fsencode(target),
        ctypes.c_uint(_AT_RECURSIVE),
        attributes,
        ctypes.c_size_t(len(attributes)),
    )
    _check(result, f"make {target} read-only")


def keep_mounts_private() -> None:
    """Let no mount made from here on be seen outside this mount namespace."""
    mount("none", "/", flags=MS_REC | MS_PRIVATE)


def change_root(new_root: str) -> None:
    """Make a mount point the root folder, with nothing left of the old one."""
    os.chdir(new_root)
    _check(_libc().pivot_root(b".", b"."), f"pivot_root to {new_root}")
    _check(_libc().umount2(b".", ctypes.c_int(MNT_DETACH)), "unmount the old root")
    os.chdir("/")


def die_with_parent(signal_number: int) -> None:
    """Get `signal_number` when the thread that made this process ends."""
    _check(_libc().prctl(ctypes.c_int(_PR_SET_PDEATHSIG), ctypes.c_ulong(signal_number), 0, 0, 0), "prctl")


def adopt_orphans(wanted: bool) -> None:
    """Become the parent of descendants that lose theirs, or no longer."""
    _check(_libc().prctl(ctypes.c_int(_PR_SET_CHILD_SUBREAPER), ctypes.c_ulong(wanted), 0, 0, 0), "prctl")


def set_hostname(name: str) -> None:
    """Name this UTS namespace."""
    encoded = name.encode()
    _check(_libc().sethostname(encoded, ctypes.c_size_t(len(encoded))), "sethostname")


def loopback_up(extra_address: str) -> None:
    """Bring `lo` of this network namespace up, with one address more than 127.0.0.1."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))
        for request_code, address in ((_SIOCSIFADDR, extra_address), (_SIOCSIFNETMASK, "255.255.255.255")):
            value = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(control, request_code, value)


def map_to_root(uid: int, gid: int) -> None:
    """In a new user namespace: be root there, which is still `uid` and `gid` outside."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
