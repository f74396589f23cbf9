"""Hold a local cloud in a process of its own, where it takes no time from what is measured here."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_END_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class RunningCloud:
    """A cloud with the environment that leads to it; `start_s` is from its process's start to that environment."""

    environment: dict[str, str]
    start_s: float


@contextmanager
def running_cloud(folder: Path) -> Iterator[RunningCloud]:
    """Start `python -m localcloud` as a user would; it has ended when this returns."""
    began = time.monotonic()
    command = [sys.executable, "-m", "localcloud", "--folder", str(folder), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101 - it was asked for
            line = process.stdout.readline()
            start_s = time.monotonic() - began
            if not line:
                raise RuntimeError(f"the local cloud did not start: {process.communicate()[1]}")
            yield RunningCloud(json.loads(line), start_s)
        finally:
            process.terminate()
            process.communicate(timeout=_END_TIMEOUT_S)
