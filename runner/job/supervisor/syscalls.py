"""Call what Linux offers and the standard library of Python 3.8 lacks."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import socket
import struct
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
_MS_BIND = 4096
_MS_REC = 16384
_MS_PRIVATE = 1 << 18

_PR_SET_PDEATHSIG = 1
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_PR_CAPBSET_DROP = 24
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture
_AT_RECURSIVE = 0x8000
_AT_FDCWD = -100
_READ_ONLY, _NO_SETUID = 1, 2
_CAPABILITY_VERSION = 0x20080522
_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP = 1


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def unshare(flags: int) -> None:
    """Give the calling process namespaces of its own."""
    _check(_libc().unshare(ctypes.c_int(flags)), "unshare")


def mount(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system."""
    names = (os.fsencode(source), os.fsencode(target), kind.encode() or None)
    result = _libc().mount(*names, ctypes.c_ulong(flags), os.fsencode(options) or None)
    _check(result, f"mount {kind or source} on {target}")


def bind(source: str, target: str) -> None:
    """Show `source` at `target` too."""
    mount(source, target, flags=_MS_BIND | _MS_REC)


def keep_mounts_private() -> None:
    """Let no mount made from here on be seen outside this mount namespace."""
    mount("none", "/", flags=_MS_REC | _MS_PRIVATE)


def make_read_only(target: str) -> None:
    """Make a mount and every mount below it read-only, with no program in it that gives rights."""
    _set_attributes(target, _READ_ONLY | _NO_SETUID, 0, _AT_RECURSIVE)


def make_writable(target: str) -> None:
    """Make one mount writable again."""
    _set_attributes(target, 0, _READ_ONLY, 0)


def _set_attributes(target: str, wanted: int, unwanted: int, flags: int) -> None:
    attributes = struct.pack("QQQQ", wanted, unwanted, 0, 0)
    size = ctypes.c_size_t(len(attributes))
    where = (ctypes.c_long(_SYS_MOUNT_SETATTR), ctypes.c_int(_AT_FDCWD), os.fsencode(target))
    _check(_libc().syscall(*where, ctypes.c_uint(flags), attributes, size), f"set up {target}")


def prctl(option: int, value: int) -> None:
    """Set something of the calling process; systems that are no Linux have nothing to set."""
    if sys.platform == "linux":
        zero = ctypes.c_ulong(0)
        _check(_libc().prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero), "prctl")


def adopt_orphans() -> None:
    """Become the parent of whatever loses its own below us (Linux; elsewhere the process group must do)."""
    prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(number: int) -> None:
    """Get a signal when the parent ends."""
    prctl(_PR_SET_PDEATHSIG, number)


def take_no_new_rights() -> None:
    """Gain nothing from any program that is run from here on."""
    prctl(_PR_SET_NO_NEW_PRIVS, 1)


def filter_calls(program: bytes) -> None:
    """Have a BPF program look at each system call of this process and its children from here on."""
    kept = ctypes.create_string_buffer(program)
    told = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(kept))
    _check(_libc().prctl(ctypes.c_int(_PR_SET_SECCOMP), ctypes.c_ulong(_SECCOMP_MODE_FILTER), told), "seccomp")


def forbid_capabilities() -> None:
    """Let no process from here on have a capability again; needs CAP_SETPCAP."""
    for number in range(64):
        try:
            prctl(_PR_CAPBSET_DROP, number)
        except OSError as error:
            if error.errno == errno.EINVAL:  # one more than this kernel knows
                return
            raise


def drop_capabilities() -> None:
    """Give up every capability this process has."""
    header = struct.pack("Ii", _CAPABILITY_VERSION, 0)
    _check(_libc().capset(header, bytes(24)), "capset")


def loopback_up() -> None:
    """Bring `lo` of this network namespace up: it leads nowhere, and some libraries speak to themselves over it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0)))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))
