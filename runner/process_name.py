"""Name a process so that another one of the same machine can tell whether it still lives."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")


def own_name() -> str:
    """This process as `host:pid:start:boot:namespace`; the last three are empty where the system does not tell them."""
    pid = os.getpid()
    return ":".join((socket.gethostname(), str(pid), _started(pid), *_place()))


def is_dead(name: str) -> bool:
    """Whether the process of that name has surely ended.

    Only a process of this boot of this machine, and of this container, can be judged; any other may be alive.
    """
    host, _, rest = name.partition(":")
    parts = rest.split(":")
    if host != socket.gethostname() or len(parts) != 4 or not parts[0].isdigit():
        return False
    pid, started, boot, namespace = parts
    if not (boot and namespace) or (boot, namespace) != _place():
        return False
    return _has_ended(int(pid)) or _started(int(pid)) not in ("", started)


def _place() -> tuple[str, str]:
    """Which boot of which machine, and which of its process namespaces, a process id belongs to."""
    with suppress(OSError):
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        namespace = (_PROC / "self/ns/pid").readlink()
        return boot, str(namespace).strip("pid:[]")
    return "", ""


def _has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # somebody else's process lives, too
        return False
    return _status(pid)[:1] in (["Z"], ["X"])  # it has ended, and its parent has not asked how


def _started(pid: int) -> str:
    """When the process started, in clock ticks since boot: a process id is used again, by and by."""
    status = _status(pid)
    return status[19] if len(status) > 19 else ""


def _status(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the program's name, which may hold anything."""
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return []
