"""Find out what a submission would be contained by on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass

from contracts.errors import RampartError
from contracts.work import Containment


@dataclass(frozen=True, slots=True)
class Probed:
    """The strongest containment there is here, and what kept it from being stronger, a clause each."""

    containment: Containment
    reasons: tuple[str, ...]


def strongest_here() -> Probed:
    """Contain a program that does nothing, in a process of its own. Raises RampartError where that cannot be done."""
    with tempfile.TemporaryDirectory(prefix="rampart-probe-") as folder:
        argv = [sys.executable, "-m", "runner.job.supervisor", "probe", folder]
        done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RampartError(f"no program could be contained here: {last}")
    answer = json.loads(done.stdout)
    return Probed(Containment(answer["containment"]), tuple(answer["reasons"]))
