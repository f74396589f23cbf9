"""Find the strongest level this machine allows, by trying."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from contracts.errors import RampartError
from localcloud.machines.level import Level
from localcloud.machines.room import MachineRoom

_TOOLS = ("nsenter", "prlimit", "setpriv", "unshare", "env")
_TRY_S = 20
# folders a full machine must see, and sees only what lies on the file system of `/` itself
_SYSTEM_FOLDERS = ("/etc", "/usr", "/var", "/opt")


def strongest_level() -> Level:
    """Return the strongest level at which a tiny machine came up and ran a command."""
    return next(level for level in Level if why_not(level) is None)


def explain_level() -> str:
    """Say in one sentence which level is used and why no stronger one is."""
    chosen = strongest_level()
    reasons = [f"{level}: {why_not(level)}" for level in Level if why_not(level) is not None]
    return f"machines are at the level {chosen}" + (f" ({'; '.join(reasons)})" if reasons else "")


@cache
def why_not(level: Level) -> str | None:
    """Return the reason this machine cannot do `level`, None when it can."""
    if level is Level.PLAIN:
        return None
    if sys.platform != "linux":
        return "needs Linux"
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not found"
    if level is Level.FULL:
        if os.geteuid() != 0:
            return "needs root"
        apart = [name for name in _SYSTEM_FOLDERS if os.path.ismount(name)]
        if apart:
            return f"{', '.join(apart)} lie on file systems of their own"
    return _try(level)


def _try(level: Level) -> str | None:
    with tempfile.TemporaryDirectory(prefix="rampart-probe-") as folder:
        try:
            with MachineRoom(Path(folder), level=level, environment=Path(sys.prefix)) as room:
                machine = room.create("probe", image_id=None, login_user="ubuntu")
                for user in ("root", "ubuntu"):
                    spawn = machine.spawn(["sh", "-c", "touch ~/probe && exec id -u"], user=user)
                    done = subprocess.run(
                        spawn.argv,
                        env=spawn.env,
                        cwd=spawn.cwd,
                        stdin=subprocess.DEVNULL,
                        capture_output=True,
                        text=True,
                        timeout=_TRY_S,
                        check=False,
                    )
                    if done.returncode != 0:
                        return done.stderr.strip()[-200:] or f"a command ended with {done.returncode}"
        except (RampartError, OSError, subprocess.SubprocessError) as error:
            return str(error)
    return None
