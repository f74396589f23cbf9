"""Keep in the cloud's folder what other processes need to find it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from contracts.errors import AskedWrongly
from localcloud.ssh_config import replace_file

_TRIES = 4
_BETWEEN_TRIES_S = 0.05


@dataclass(frozen=True, slots=True)
class State:
    """A running cloud. The token opens its control door; the file that holds it is readable by its owner only."""

    pid: int
    level: str
    environment: dict[str, str]
    control_url: str
    control_token: str = field(repr=False)


class Claim:
    """A folder held by one process at a time, until it ends; the kernel lets go even of a killed one's."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (folder / "lock").exists() and any(folder.iterdir()):
            raise AskedWrongly(
                f"{folder} holds other things", hint="give the local cloud a folder of its own: --folder"
            )
        self._fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not self._taken():
            os.close(self._fd)
            raise AskedWrongly(
                f"a local cloud is already running in {folder}",
                hint="python -m localcloud stop, or choose another --folder",
            )

    def _taken(self) -> bool:
        """Tries a few times: whoever asks whether a cloud runs holds the lock for a moment."""
        for _ in range(_TRIES):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_BETWEEN_TRIES_S)
            else:
                return True
        return False

    def release(self) -> None:
        os.close(self._fd)


def write(folder: Path, state: State) -> None:
    replace_file(_path(folder), json.dumps(asdict(state), indent=2) + "\n")


def remove(folder: Path) -> None:
    _path(folder).unlink(missing_ok=True)


def read(folder: Path) -> State | None:
    """The cloud running in the folder, or None; what a killed one left behind does not count."""
    if not is_claimed(folder):
        return None
    try:
        return State(**json.loads(_path(folder).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None  # still starting


def is_claimed(folder: Path) -> bool:
    """Whether a process holds the folder now."""
    try:
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _path(folder: Path) -> Path:
    return folder / "state.json"
