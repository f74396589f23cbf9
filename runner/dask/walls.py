"""Take from a process that speaks to a cluster what hostile code in it could gain."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from runner.dask.dialling import LOOPBACK

REACHES = "RAMPART_REACHES"
"""The variable that tells a walled program at which HOST:PORT it finds the address that it reaches."""

_log = logging.getLogger(__name__)
_PROGRAM = Path(__file__).with_name("walled.py")
_PATIENCE_S = 20.0


def walled(argv: Sequence[str], *, shown: Sequence[Path], reaches: tuple[str, int]) -> tuple[str, ...]:
    """Give the command line that runs `argv` so that it sees and reaches nothing but what is said here.

    It sees the system, Python's environment and `shown`, all read-only, and writes to an empty /tmp. It reaches one
    host and port, at the address that `REACHES` tells. It has the standard streams of whoever runs the command line,
    which must be the calling process, and ends with it; of the environment it has a PATH, a LANG and a HOME. As root it
    is a user that nobody else is, so that one must be able to read what is shown. Where such walls cannot be had it
    runs as it is, but for the environment, with a warning in the log.
    """
    host, port = reaches
    if _why_not():
        there = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return (*_environment(there), *argv)
    return (*_environment(f"{LOOPBACK}:{port}"), *_walls(shown, reaches), *argv)


def _environment(there: str) -> tuple[str, ...]:
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    return ("/usr/bin/env", "-i", f"PATH={path}", "LANG=C.UTF-8", "HOME=/tmp", f"{REACHES}={there}")


def _walls(shown: Sequence[Path], reaches: tuple[str, int]) -> tuple[str, ...]:
    show = (word for path in shown for word in ("--show", str(path.absolute())))
    program = (sys.executable, "-I", "-B", str(_PROGRAM))
    return (*program, "--parent", str(os.getpid()), "--reaches", reaches[0], str(reaches[1]), *show, "--")


@cache
def _why_not() -> str:
    """What keeps this machine from walls, found by trying once; empty where nothing does."""
    if sys.platform != "linux":
        return "it needs Linux"
    trial = (*_walls((), (LOOPBACK, 1)), sys.executable, "-I", "-c", "")
    try:
        done = subprocess.run(trial, capture_output=True, stdin=subprocess.DEVNULL, timeout=_PATIENCE_S, check=False)
        why_not = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"
        why_not = why_not if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        why_not = str(error)
    if why_not:
        message = "the client of the cluster runs without walls: a hostile worker gets what this user may: %s"
        _log.warning(message, why_not, extra={"action": "client-not-walled"})
    return why_not
