"""Find the user that a job runs as."""

from __future__ import annotations

import os
import pwd
import subprocess
import zlib
from pathlib import Path
from typing import NamedTuple

_NAME = "submission"
# numbers that systemd gives to users of the moment, and nobody else may have
_FIRST, _COUNT = 61184, 4336


class Account(NamedTuple):
    """A user; `name` is empty where the system has none of that number."""

    uid: int
    gid: int
    name: str = ""


def job_account(folder: Path, *, may_add: bool) -> Account | None:
    """The image's submission user, added where there is none; on somebody's own machine a number that no user has.

    That one is each job's own, so that jobs beside one another are counted apart. None where we may not choose.
    """
    if os.getuid() != 0 or not _is_known_here(_FIRST):
        return None
    found = _named() if may_add else None
    if found is None and may_add:
        options = ("--system", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin")
        subprocess.run(["useradd", *options, _NAME], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
        found = _named()
    if found is None:
        number = _FIRST + zlib.crc32(str(folder).encode()) % _COUNT
        return Account(number, number)
    return found


def _is_known_here(number: int) -> bool:
    """Whether that user is one here: in a user namespace there may be few."""
    if not Path("/proc/self/uid_map").exists():
        return True
    ranges = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(int(first) <= number < int(first) + int(count) for first, _, count in ranges)


def _named() -> Account | None:
    try:
        entry = pwd.getpwnam(_NAME)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid, _NAME)
