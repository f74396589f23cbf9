"""Time how long a person waits for the first sign of life."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks import script
from benchmarks.cloud import running_cloud
from benchmarks.deployment import REPOSITORY
from benchmarks.figures import Figure


def measure(quick: bool) -> list[Figure]:
    """Medians, each of processes started anew."""
    invoke = [str(Path(sys.executable).with_name("invoke")), "--list"]
    listed = [_seconds(invoke) for _ in range(3 if quick else 10)]
    bare = [_seconds([sys.executable, "-c", ""]) for _ in range(3 if quick else 10)]
    started = [_cloud_start() for _ in range(1 if quick else 5)]
    how = f"median of {len(listed)}; an empty Python takes {median(bare):.2f} s"
    return [
        Figure("`invoke --list`", round(median(listed), 3), "s", "≤ 0.5 s", how),
        Figure(
            "`python -m localcloud`: start to the environment printed",
            round(median(started), 3),
            "s",
            "< 2 s",
            f"median of {len(started)}, Python's own start and all imports included",
        ),
    ]


def _seconds(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, cwd=REPOSITORY, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return time.monotonic() - began


def _cloud_start() -> float:
    with tempfile.TemporaryDirectory(prefix="rampart-bench-") as folder, running_cloud(Path(folder)) as cloud:
        return cloud.start_s


if __name__ == "__main__":
    script.main(measure)
