"""List what lies below folders, so that two machines can be compared: python tree_digest.py FOLDER...

A line for each file, folder and link: its name, mode and owner, with the SHA-256 of the content or the link's target.
Without times and compiled Python, which differ between machines that hold the same. The last line is a digest of all
others. It runs on any machine with a Python 3, and needs nothing else.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys


def lines_of(folder: str) -> list[str]:
    """Describe what lies below a folder, sorted by name."""
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        for name in (*folders, *files):
            if not name.endswith(".pyc"):
                path = f"{parent}/{name}"
                status = os.lstat(path)
                kind = f"{stat.filemode(status.st_mode)} {status.st_uid}:{status.st_gid}"
                found.append(f"{os.path.relpath(path, folder)} {kind} {_content(path, status.st_mode)}")
    return sorted(found)


def _content(path: str, mode: int) -> str:
    if stat.S_ISLNK(mode):
        return f"-> {os.readlink(path)}"  # noqa: PTH115
    if not stat.S_ISREG(mode):
        return "-"
    with open(path, "rb") as file:  # noqa: PTH123
        return hashlib.sha256(file.read()).hexdigest()


if __name__ == "__main__":
    listing = [f"{folder}: {line}" for folder in sys.argv[1:] for line in lines_of(folder)]
    print("\n".join(listing))
    print(hashlib.sha256("\n".join(listing).encode()).hexdigest())
