"""Say what a job sees of its host's files."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

EMPTY = "empty"
SCRATCH = "scratch"
SHOWN = "shown"
WRITABLE = "writable"

# what is the host's own, or other people's: homes, sockets of services, user data, logs, databases, mounted disks
_PRIVATE = ("/home", "/root", "/run", "/var", "/boot", "/srv", "/mnt", "/media")
_SCRATCH = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108 - where a job is given folders of its own
_SCRATCH_BYTES = 2**30


class Mount(NamedTuple):
    """One place that is not what it is on the host."""

    kind: str
    path: str


class View(NamedTuple):
    """A read-only system with these places in it, outermost first; `scratch_bytes` bounds each place for scratch."""

    mounts: tuple[Mount, ...]
    scratch_bytes: int

    def of(self, kind: str) -> list[str]:
        """The places of one kind."""
        return [mount.path for mount in self.mounts if mount.kind == kind]


def job_view(
    folder: Path, *, shown: Sequence[str], hidden: Sequence[str], memory_bytes: int | None, is_other_user: bool
) -> View:
    """What the job of a folder sees: its own part of that folder, `shown`, its environment, nothing `hidden`.

    `is_other_user` cannot enter folders that are closed to others: what it shall see in one is shown in an empty one.
    """
    writable = [str(folder / name) for name in ("home", "submissions", "tmp")]
    # every file of a job folder that is the supervisor's own stays out of sight
    pushed = [str(path) for path in sorted(folder.iterdir()) if path.name in ("finished", "kit", "blind")]
    scripts = [str(path) for path in sorted(folder.glob("run_*.py"))]
    shown = [*shown, *_real_places(shown)]
    wanted = [*writable, *pushed, *scripts, *shown, *_interpreter()]
    closed = filter(None, map(_closed_parent, wanted)) if is_other_user else ()
    emptied = {*_PRIVATE, *_real_places(hidden), str(folder), *closed}
    found = {path: EMPTY for path in emptied if _is_folder(path)}
    found.update((path, SCRATCH) for path in _SCRATCH if _is_folder(path))
    found.update((path, SHOWN) for path in (*pushed, *scripts, *shown, *_interpreter()) if _is_covered(path, found))
    found.update((path, WRITABLE) for path in writable)
    mounts = sorted((Mount(kind, path) for path, kind in found.items()), key=lambda one: (one.path.count("/"), one))
    return View(tuple(mounts), min(_SCRATCH_BYTES, memory_bytes or _SCRATCH_BYTES))


def _real_places(paths: Sequence[str]) -> list[str]:
    """Where folders lie that may be links, and the data that a kit holds by a link."""
    data = [path + "/data" for path in paths if os.path.islink(path + "/data")]  # noqa: PTH114 - one kind of path
    return [os.path.realpath(path) for path in (*paths, *data)]


def _interpreter() -> list[str]:
    """What Python itself needs: its environment, with what that was made from."""
    real = Path(sys.executable).resolve().parent.parent
    return sorted({sys.prefix, sys.base_prefix, str(real)} - {"/", "/usr"})


def _closed_parent(path: str) -> str | None:
    """The outermost folder above that does not let others through."""
    for folder in reversed(Path(path).parents):
        try:
            if not folder.stat().st_mode & 0o001:
                return str(folder)
        except OSError:
            return None
    return None


def _is_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)  # noqa: PTH112, PTH114 - asked of many


def _is_covered(path: str, found: dict[str, str]) -> bool:
    """Whether it would be out of sight, and is there."""
    return any(str(folder) in found for folder in (Path(path), *Path(path).parents)) and Path(path).exists()
