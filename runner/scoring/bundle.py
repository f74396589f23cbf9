"""Keep on this machine what a job is given instead of the event's labels."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from contracts.errors import KitInvalid

KIT = "kit"
"""The folder, inside a job folder, of the kit's own files."""

DATA = "blind/bundle"
"""The file, inside a job folder, of the data without test labels."""

MAX_FILES = 2000
MAX_BYTES = 64 * 2**20
_CACHE = "__pycache__"
_KEPT_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Bundle:
    """What lies in `folder` goes into a job folder as it is; `labels` names what its predictions are compared with."""

    labels: str
    folder: Path


@dataclass(frozen=True, slots=True)
class KitFolders:
    """Where a kit is on this machine; `data` is the folder that holds `data/`."""

    kit: Path
    data: Path

    def files(self) -> list[Path]:
        """Give the kit's own files, without data, submissions, notebooks and what is hidden.

        Raises KitInvalid where one is no regular file, or all are too much to be sent with every submission.
        """
        found: list[Path] = []
        size = 0
        for path, status in self._own():
            if path.suffix == ".ipynb":
                continue
            if not stat.S_ISREG(status.st_mode):
                name = path.relative_to(self.kit)
                raise KitInvalid(f"{name} in the kit {self.kit} is not a regular file", hint="copy what it points to")
            found.append(path)
            size += status.st_size
            if len(found) > MAX_FILES or size > MAX_BYTES:
                hint = f"at most {MAX_FILES} files and {MAX_BYTES // 2**20} MiB beside data/ and submissions/"
                raise KitInvalid(f"the kit {self.kit} is too large to be sent with every submission", hint=hint)
        return found

    def stamp(self) -> str:
        """Tell one state of kit and data from another, by names, sizes and times. Raises KitInvalid."""
        digest = hashlib.sha256()
        data = self.data / "data"
        try:
            for path, status in (*self._own(), *(_below(data) if data.is_dir() else ())):
                digest.update(f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0".encode(errors="surrogateescape"))
        except OSError as error:
            raise KitInvalid(f"the kit {self.kit} cannot be looked at: {error.strerror}") from error
        return digest.hexdigest()

    def _own(self) -> Iterator[tuple[Path, os.stat_result]]:
        return _below(self.kit, {self.kit / "data", self.kit / "submissions", self.data})


def keep(place: Path, kit: KitFolders, left_out: Collection[str], write_data: Callable[[BinaryIO], None]) -> Path:
    """Make a bundle's folder below `place`, named by its content; gives the folder.

    `left_out` are names of the kit's files that stay here. What nobody has used for a day is removed.
    """
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = Path(tempfile.mkdtemp(prefix=".draft.", dir=place))
    try:
        (draft / DATA).parent.mkdir()
        with (draft / DATA).open("wb") as file:
            write_data(file)
        (draft / KIT).mkdir()
        for path in kit.files():
            name = path.relative_to(kit.kit)
            if name.as_posix() not in left_out:
                (draft / KIT / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, draft / KIT / name)
        kept = place / _content_of(draft)
        if not kept.is_dir():
            draft.rename(kept)
        touch(kept)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _forget(place)
    return kept


def touch(folder: Path) -> None:
    """Say that a bundle is in use."""
    os.utime(folder)


def _below(folder: Path, apart_from: Collection[Path] = ()) -> Iterator[tuple[Path, os.stat_result]]:
    """Every file below that is not hidden, in a stable order; links are not followed."""
    with os.scandir(folder) as found:
        children = sorted(found, key=lambda child: child.name)
    for child in children:
        path = Path(child.path)
        if child.name.startswith(".") or child.name == _CACHE or path in apart_from:
            continue
        if child.is_dir(follow_symlinks=False):
            yield from _below(path, apart_from)
        else:
            yield path, child.stat(follow_symlinks=False)


def _content_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path, status in _below(folder):
        digest.update(f"{path.relative_to(folder)}\0{status.st_size}\0".encode())
        with path.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()


def _forget(place: Path) -> None:
    for path in place.iterdir():
        try:
            if path.stat().st_mtime < time.time() - _KEPT_S:
                shutil.rmtree(path, ignore_errors=True)
        except FileNotFoundError:  # another dispatcher of the event was quicker
            continue
