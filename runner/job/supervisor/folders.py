"""Make the folders a job writes to, measure them, take them back."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from runner.job.supervisor.job import Job

_OF_THE_JOB = ("home", "submissions", "tmp")
_MOST_FILES = 100_000
_SELDOM_S = 1.0
_COST_SHARE = 0.02
_SPARED_BYTES = 256 * 2**20
"""What a job must leave free on its host's disk, however much it may write."""


def prepare(job: Job) -> None:
    """Make the job's folders, and give them to whom it runs as."""
    for name in _OF_THE_JOB:
        (job.folder / name).mkdir(mode=0o700, exist_ok=True)
    if job.account is not None:
        for name in _OF_THE_JOB:
            for path, files in _everything(job.folder / name):
                for one in (path, *files):
                    os.chown(str(one), job.account.uid, job.account.gid, follow_symlinks=False)
        _open_to_others(job.folder)


def give_back(folder: Path) -> None:
    """Give what a job leaves to the folder's owner, who is to read it; its own home and scratch are removed."""
    for name in ("home", "tmp"):
        shutil.rmtree(str(folder / name), ignore_errors=True)
    if os.getuid() == 0:
        _hand_over(folder / "submissions", folder.stat())
    else:
        _open(folder / "submissions")


def _hand_over(folder: Path, owner: os.stat_result) -> None:
    """Make it the owner's by descriptors: a job without walls may have put a link in any place, the first one too."""
    for _, folders, files, descriptor in os.fwalk(str(folder)):
        os.fchmod(descriptor, 0o700)
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
        for name in (*folders, *files):
            os.chown(name, owner.st_uid, owner.st_gid, dir_fd=descriptor, follow_symlinks=False)


def _open(folder: Path) -> None:
    """Let its owner, who we are, into every folder below that a job has closed."""
    waiting = [] if folder.is_symlink() else [folder]
    while waiting:
        path = waiting.pop()
        path.chmod(0o700)
        with os.scandir(str(path)) as entries:
            waiting += [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]


def _everything(folder: Path) -> list[tuple[Path, list[Path]]]:
    """Each folder below, with all in it that is no folder; links are not followed."""
    found = []
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        files = []
        with os.scandir(str(path)) as entries:
            for entry in entries:
                one = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(one)
                else:
                    files.append(one)
        found.append((path, files))
    return found


def _open_to_others(folder: Path) -> None:
    """Let another user read what was pushed for it, and its owner what that one makes of it while it does.

    The folder itself stays closed, and is not what the job sees.
    """
    for path, _ in _everything(folder / "submissions"):
        path.chmod(0o755)
    for name in ("finished", "kit", "blind"):
        if (folder / name).is_dir():
            for path, files in _everything(folder / name):
                path.chmod(0o755)
                for one in files:
                    one.chmod(0o644)
    for script in folder.glob("run_*.py"):
        script.chmod(0o644)


class Room:
    """How much a job has written: looked at closely when the disk has lost enough for it to matter, else seldom.

    What others free meanwhile hides what the job takes, so the disk alone is not believed.
    """

    def __init__(self, folder: Path, limit_bytes: int | None) -> None:
        self._folder = folder
        disk = os.statvfs(str(folder))
        self._free_bytes, self._free_files = disk.f_bavail * disk.f_frsize, disk.f_favail
        most = max(0, self._free_bytes - _SPARED_BYTES)
        self._limit_bytes = most if limit_bytes is None else min(limit_bytes, most)
        self._look_at = time.monotonic() + _SELDOM_S

    def left_bytes(self) -> int:
        """What may be written before it is worth a closer look, at least."""
        return max(0, self._limit_bytes // 2 - self._lost()[0])

    def is_used_up(self) -> bool:
        """Whether the job has written more, or more files, than it may."""
        lost_bytes, lost_files = self._lost()
        began = time.monotonic()
        is_suspect = lost_bytes > self._limit_bytes // 2 or lost_files > _MOST_FILES // 2
        if not is_suspect and began < self._look_at:
            return False
        used_bytes, files = _usage([self._folder / name for name in _OF_THE_JOB])
        ended = time.monotonic()
        self._look_at = ended + max(_SELDOM_S, (ended - began) / _COST_SHARE)
        return used_bytes > self._limit_bytes or files > _MOST_FILES

    def _lost(self) -> tuple[int, int]:
        disk = os.statvfs(str(self._folder))
        return self._free_bytes - disk.f_bavail * disk.f_frsize, self._free_files - disk.f_favail


def _usage(folders: list[Path]) -> tuple[int, int]:
    """Bytes on the disk and number of files below the folders, while a job still writes there."""
    used_bytes, count = 0, 0
    for folder in folders:
        for path, _, names in os.walk(str(folder)):
            for name in names:
                try:
                    used_bytes += os.lstat(os.path.join(path, name)).st_blocks * 512  # noqa: PTH118 - of many
                except OSError:
                    continue
            count += len(names) + 1
            if count > _MOST_FILES:
                return used_bytes, count
    return used_bytes, count


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, after a power cut too."""
    draft = path.with_name(path.name + ".new")
    with draft.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(str(path.parent), os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
