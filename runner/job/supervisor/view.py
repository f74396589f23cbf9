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
_LITTLE_SCRATCH = ("/tmp", "/dev/shm")  # noqa: S108 - where a program is given folders of its own
_SCRATCH = (*_LITTLE_SCRATCH, "/var/tmp")  # noqa: S108 - and a job
_SCRATCH_BYTES = 2**30
# of a host's folders, those that hold the system itself; of its settings, those that any program needs
_SYSTEM = ("/bin", "/dev", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/proc", "/sbin", "/usr")
_SETTINGS = (
    *("alternatives", "group", "host.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime"),
    *("nsswitch.conf", "passwd", "protocols", "services", "ssl/certs", "ssl/openssl.cnf"),
)


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
    return _view(
        {*_PRIVATE, *_real_places(hidden), str(folder)},
        shown=[*pushed, *scripts, *shown, *_real_places(shown), *_interpreter()],
        scratch=_SCRATCH,
        writable=writable,
        scratch_bytes=min(_SCRATCH_BYTES, memory_bytes or _SCRATCH_BYTES),
        is_other_user=is_other_user,
    )


def bare_view(*, shown: Sequence[str], scratch_bytes: int, is_other_user: bool) -> View:
    """What a program sees that is given nothing of its host but the system, Python's environment and `shown`."""
    with os.scandir("/") as entries:
        others = {one.path for one in entries} - {*_SYSTEM}
    return _view(
        others,
        shown=[*(f"/etc/{name}" for name in _SETTINGS), *shown, *_real_places(shown), *_interpreter()],
        scratch=_LITTLE_SCRATCH,
        writable=(),
        scratch_bytes=scratch_bytes,
        is_other_user=is_other_user,
    )


def _view(
    emptied: set[str],
    *,
    shown: Sequence[str],
    scratch: Sequence[str],
    writable: Sequence[str],
    scratch_bytes: int,
    is_other_user: bool,
) -> View:
    closed = filter(None, map(_closed_parent, (*writable, *shown))) if is_other_user else ()
    found = {path: EMPTY for path in {*emptied, *closed} if _is_folder(path)}
    found.update((path, SCRATCH) for path in scratch if _is_folder(path))
    found.update((path, SHOWN) for path in shown if _is_covered(path, found))
    found.update((path, WRITABLE) for path in writable)
    mounts = sorted((Mount(kind, path) for path, kind in found.items()), key=lambda one: (one.path.count("/"), one))
    return View(tuple(mounts), scratch_bytes)


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
