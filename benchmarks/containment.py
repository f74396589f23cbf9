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
    """Run a job that does nothing, each way in turn, round by round; beside each the same without walls, there."""
    here = ("namespaces" if os.geteuid() == 0 else "user-namespace", ())
    folder = Path(tempfile.mkdtemp(prefix="rampart-bench-", dir="/var/tmp"))
    folder.chmod(0o755)
    jobs = folder / "jobs"
    jobs.mkdir()
    machine = SystemdMachine(folder / "machine", jobs) if not systemd_machine.why_not() else None
    try:
        ways = [here] if machine is None else [here, ("systemd", machine.enter)]
        times: dict[str, list[tuple[float, float]]] = {way: [] for way, _ in ways}
        for _ in range(_QUICK_ROUNDS if quick else _ROUNDS):
            for way, enter in ways:
                times[way].append((_run(jobs, way, enter), _run(jobs, _BARE, enter)))
    finally:
        if machine is not None:
            machine.close()
        shutil.rmtree(folder)
    return [_figure(way, rounds) for way, rounds in times.items()]


def _figure(way: str, rounds: list[tuple[float, float]]) -> Figure:
    walled_s, bare_s = (statistics.median(times) for times in zip(*rounds, strict=True))
    return Figure(
        f"containment by {way}, added to a run: median",
        round(1000 * (walled_s - bare_s), 1),
        "ms",
        "≤ 50 ms",
        f"launch to exit record {1000 * walled_s:.0f} ms against {1000 * bare_s:.0f} ms"
        f" without walls, of a program that ends at once; {len(rounds)} rounds",
    )


def _run(jobs: Path, way: str, enter: tuple[str, ...]) -> float:
    """Seconds from the launch to the end of a job."""
    folder = Path(tempfile.mkdtemp(dir=jobs))
    (folder / "submissions").mkdir()
    for name, source in supervisor_files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, folder / name)
    supervise = (*enter, sys.executable, "-I", "-B", str(folder / SUPERVISOR))
    user = ("--add-user",) if enter else ()  # on the machine in the machine, on no other
    began = time.perf_counter()
    launch = ("launch", str(folder), "--timeout-s", "20", "--containment", way, *user, "--", "/bin/true")
    subprocess.run((*supervise, *launch), check=True)
    subprocess.run((*enter, "flock", "-s", str(folder / "lock"), "true"), check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    script.main(measure)
