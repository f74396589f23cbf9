"""Put the supervisor into a job folder as a push does."""

from __future__ import annotations

import shutil
from pathlib import Path

from runner.job.pushed import supervisor_files


def install(folder: Path) -> None:
    """Copy every file to its place."""
    for name, source in supervisor_files().items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
