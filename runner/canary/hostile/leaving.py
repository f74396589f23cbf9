"""Leave something for the next submission on the host; and look, as that one, for what was left."""

from __future__ import annotations

import ctypes
import os
import zlib

from runner.canary.hostile.trying import MADE, Plan, Stopped

_PLACES = ("/tmp", "/var/tmp", "/dev/shm")
_BYTES = 4096
_CREATE, _REMOVE = 0o1000, 0


def files(plan: Plan) -> str:
    """Leave files where everybody may write, and in the home."""
    made = []
    for place in (*_PLACES, plan.home):
        try:
            with open(os.path.join(place, f"{plan.token}-left"), "wb") as file:
                file.write(b"x")
            made.append(place)
        except OSError:
            continue
    if not made:
        raise Stopped("no place to write to")
    return MADE + f"files in {', '.join(made)}"


def shared_memory(plan: Plan) -> str:
    """Leave memory that has a number for its name."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.shmget(_number(plan.token), ctypes.c_size_t(_BYTES), _CREATE | 0o666) == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return MADE + "a segment of shared memory"


def found(plan: Plan) -> dict[str, str]:
    """What the next submission finds, by kind; it takes it away."""
    names = {"left-files": _files(plan), "left-memory": _memory(plan), "left-processes": _processes(plan)}
    return {name: text for name, text in names.items() if text}


def _files(plan: Plan) -> str:
    found = []
    for place in (*_PLACES, plan.home):
        path = os.path.join(place, f"{plan.token}-left")
        if os.path.lexists(path):
            found.append(place)
            os.unlink(path)
    return f"files in {', '.join(found)}" if found else ""


def _memory(plan: Plan) -> str:
    libc = ctypes.CDLL(None, use_errno=True)
    number = libc.shmget(_number(plan.token), ctypes.c_size_t(_BYTES), 0)
    if number == -1:
        return ""
    libc.shmctl(number, _REMOVE, None)
    return "a segment of shared memory"


def _processes(plan: Plan) -> str:
    own = os.getpid()
    found = [pid for pid in os.listdir("/proc") if pid.isdigit() and int(pid) != own and _is_left(pid, plan.token)]
    return f"{len(found)} processes" if found else ""


def _is_left(pid: str, token: str) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read(200).startswith(token.encode())
    except OSError:
        return False


def _number(token: str) -> int:
    return zlib.crc32(token.encode()) & 0x7FFFFFFF
