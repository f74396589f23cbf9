"""Keep a job from system calls that no computation needs: those that reach the kernel's own affairs.

A program in the kernel's filter language (BPF) looks at each call. What it refuses fails with an error, as it would for
want of rights, so that programs which only try go on.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from typing import NamedTuple

from runner.job.supervisor import syscalls

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # where they lie in what the kernel shows the program
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6: others lead past a network namespace, or into rarely used code
_NAMESPACES = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUSER
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWCGROUP
)
_RIGHTS_OF_OWNER = 0o6000  # of a file's mode: whoever runs it gets its owner's rights


class _Calls(NamedTuple):
    """The numbers of one architecture's calls."""

    architecture: int
    socket: int
    refused: dict[str, int]
    with_flags: dict[int, int]
    """Those that may make namespaces: which argument says so."""
    with_mode: dict[int, int]
    """Those that set a file's mode: which argument it is."""
    foreign: int = 0
    """From this number on it is another architecture's call in disguise; 0 where there is no such thing."""


# the same numbers everywhere; what is asked of the first two lies where no filter can look
_OPAQUE = {"clone3": 435, "openat2": 437}
_MODES_EVERYWHERE = {452: 2}  # fchmodat2
_EVERYWHERE = {
    **{"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "pidfd_getfd": 438},
    **{"open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433},
    "mount_setattr": 442,
}
_X86_64 = {
    **{"ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312},
    **{"mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "setns": 308, "open_by_handle_at": 304},
    **{"add_key": 248, "request_key": 249, "keyctl": 250},
    **{"bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "fanotify_init": 300, "lookup_dcookie": 212},
    **{"init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246, "kexec_file_load": 320},
    **{"reboot": 169, "swapon": 167, "swapoff": 168, "acct": 163, "quotactl": 179, "syslog": 103, "vhangup": 153},
    **{"sethostname": 170, "setdomainname": 171, "settimeofday": 164, "clock_settime": 227},
    **{"iopl": 172, "ioperm": 173, "modify_ldt": 154},
}
_AARCH64 = {
    **{"ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272},
    **{"mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "setns": 268, "open_by_handle_at": 265},
    **{"add_key": 217, "request_key": 218, "keyctl": 219},
    **{"bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "fanotify_init": 262, "lookup_dcookie": 18},
    **{"init_module": 105, "finit_module": 273, "delete_module": 106, "kexec_load": 104, "kexec_file_load": 294},
    **{"reboot": 142, "swapon": 224, "swapoff": 225, "acct": 89, "quotactl": 60, "syslog": 116, "vhangup": 58},
    **{"sethostname": 161, "setdomainname": 162, "settimeofday": 170, "clock_settime": 112},
}
_OF_MACHINES = {
    "x86_64": _Calls(
        0xC000003E,
        socket=41,
        refused=_X86_64,
        with_flags={56: 0, 272: 0},  # clone, unshare
        # chmod, fchmod, fchmodat; open, creat, openat; mknod, mknodat
        with_mode={90: 1, 91: 1, 268: 2, 2: 2, 85: 1, 257: 3, 133: 1, 259: 2},
        foreign=0x40000000,
    ),
    "aarch64": _Calls(
        0xC00000B7,
        socket=198,
        refused=_AARCH64,
        with_flags={220: 0, 97: 0},
        with_mode={52: 1, 53: 2, 56: 3, 33: 2},  # fchmod, fchmodat; openat; mknodat
    ),
}


def refuse_what_no_job_needs() -> None:
    """Filter the calls of this process and its children from here on; on an unknown architecture none.

    Needs `syscalls.take_no_new_rights` before. Raises OSError where the kernel has no filters.
    """
    calls = _OF_MACHINES.get(os.uname().machine)
    if calls is not None and sys.maxsize > 2**32:
        syscalls.filter_calls(program(calls))


def program(calls: _Calls) -> bytes:
    """The filter: each instruction is 8 bytes."""
    refused = sorted({*calls.refused.values(), *_EVERYWHERE.values()})
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_JUMP_EQUAL, 1, 0, calls.architecture),
        (_RETURN, 0, 0, _ERROR | errno.EPERM),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if calls.foreign:
        lines += [(_JUMP_AT_LEAST, 0, 1, calls.foreign), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    for number in refused:
        lines += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR | errno.EPERM)]
    # told that there is no such call, libraries take the older one
    for number in _OPAQUE.values():
        lines += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]
    for bits, places in ((_NAMESPACES, calls.with_flags), (_RIGHTS_OF_OWNER, {**calls.with_mode, **_MODES_EVERYWHERE})):
        for number, argument in places.items():
            lines += [
                (_JUMP_EQUAL, 0, 4, number),
                (_LOAD, 0, 0, _ARGUMENTS + 8 * argument),
                (_JUMP_ANY_BIT, 0, 1, bits),
                (_RETURN, 0, 0, _ERROR | errno.EPERM),
                (_RETURN, 0, 0, _ALLOW),
            ]
    lines += [(_JUMP_EQUAL, 0, len(_FAMILIES) + 2, calls.socket), (_LOAD, 0, 0, _ARGUMENTS)]
    lines += [(_JUMP_EQUAL, len(_FAMILIES) - index, 0, family) for index, family in enumerate(_FAMILIES)]
    lines += [(_RETURN, 0, 0, _ERROR | errno.EAFNOSUPPORT), (_RETURN, 0, 0, _ALLOW)]
    return b"".join(struct.pack("HBBI", *line) for line in lines)
