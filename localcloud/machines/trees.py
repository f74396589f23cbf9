"""Copy and remove folders of machines, whatever modes their files have."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

# how `cp` says that a file went, or another took its place, while its folder was being read
_GONE = (": No such file or directory", ", as it was replaced while being copied")


def copy(source: Path, target: Path) -> None:
    """Copy a tree with symbolic links as links, times, modes, extended attributes, hard links and holes.

    Files that go while it is copied are left out: what works in the folder does not stand still for us.
    """
    command = ["cp", "-a", str(source), str(target)]
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, errors="replace", env=environment)
    complaints = [line for line in done.stderr.splitlines() if not line.endswith(_GONE)]
    if done.returncode != 0 and (complaints or not target.exists()):
        remove(target)
        raise OSError(f"copying {source} failed: {done.stderr.strip()[-300:]}")


def remove(folder: Path) -> None:
    """Remove a tree, also one whose folders its owner may not enter."""
    if not folder.exists():
        return
    _open_up(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _open_up(folder: Path) -> None:
    with suppress(FileNotFoundError):  # the last process of a killed owner may be removing it too
        folder.chmod(0o700)
        with os.scandir(folder) as entries:
            below = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
        for child in below:
            _open_up(child)


def replace_path(folder: Path, old: str, new: str) -> None:
    """Replace a path in every file and link below `folder` by another of the same length."""
    if len(os.fsencode(old)) != len(os.fsencode(new)):
        raise ValueError(f"{old} and {new} differ in length")
    before, after = os.fsencode(old), os.fsencode(new)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            if path.is_symlink():
                target = str(path.readlink())
                if old in target:
                    path.unlink()
                    path.symlink_to(target.replace(old, new))
            elif path.is_file():
                _replace_bytes(path, before, after)


def _replace_bytes(path: Path, before: bytes, after: bytes) -> None:
    content = path.read_bytes()
    if before in content:
        found = path.stat()
        path.write_bytes(content.replace(before, after))
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
