"""Measure what the walls around a job add to a run, against the same job without them."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import script
from benchmarks.figures import Figure
from runner.job.pushed import SUPERVISOR, supervisor_files
from tests.integration.runner import systemd_machine
from tests.integration.runner.systemd_machine import SystemdMachine

_ROUNDS, _QUICK_ROUNDS = 15, 7
_BARE = "process-group"


def measure(quick: bool) -> list[Figure]:
    """Run a job that does nothing, each way in turn, round by round."""
    ways: dict[str, tuple[str, ...]] = {_BARE: ()}
    ways["namespaces" if os.geteuid() == 0 else "user-namespace"] = ()
    folder = Path(tempfile.mkdtemp(prefix="rampart-bench-", dir="/var/tmp"))
    folder.chmod(0o755)
    jobs = folder / "jobs"
    jobs.mkdir()
    machine = SystemdMachine(folder / "machine", jobs) if not systemd_machine.why_not() else None
    try:
        if machine is not None:
            ways["systemd"] = machine.enter
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(_QUICK_ROUNDS if quick else _ROUNDS):
            for way, enter in ways.items():
                times[way].append(_run(jobs, way, enter))
    finally:
        if machine is not None:
            machine.close()
        shutil.rmtree(folder)
    bare_s = statistics.median(times.pop(_BARE))
    return [
        Figure(
            f"containment by {way}, added to a run: median",
            round(1000 * (statistics.median(found) - bare_s), 1),
            "ms",
            "≤ 50 ms",
            f"launch to exit record {1000 * statistics.median(found):.0f} ms against {1000 * bare_s:.0f} ms"
            f" without walls, of a program that ends at once; {len(found)} rounds",
        )
        for way, found in times.items()
    ]


def _run(jobs: Path, way: str, enter: tuple[str, ...]) -> float:
    """Seconds from the launch to the end of a job."""
    folder = Path(tempfile.mkdtemp(dir=jobs))
    (folder / "submissions").mkdir()
    for name, source in supervisor_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder / name)
    supervise = (*enter, sys.executable, "-I", "-B", str(folder / SUPERVISOR))
    user = ("--add-user",) if way == "systemd" else ()  # on the machine in the machine, on no other
    began = time.perf_counter()
    launch = ("launch", str(folder), "--timeout-s", "20", "--containment", way, *user, "--", "/bin/true")
    subprocess.run((*supervise, *launch), check=True)
    subprocess.run((*enter, "flock", "-s", str(folder / "lock"), "true"), check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    script.main(measure)
