"""Send a long queue of cheap jobs through a Dask cluster, and see what it takes of whom."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import processes
from benchmarks.figures import Figure
from benchmarks.processes import Used
from contracts.event import EventConfig
from runner.app import open_catalogue
from tests.dask_cluster import DaskCluster
from tests.faults import jobs, rehearsal

_JOB = jobs.STAND_IN
_TEAM = "blue"
_LOOK_S = 0.5
_CLIENT = "client_process.py"
# no job can write to its kit: what notes that one begins stands outside of the walls, where it is launched
_NOTING_PYTHON = """#!/bin/sh
[ "$4" != launch ] || echo "$5" >>{noted}
exec {python} "$@"
"""


@dataclass(frozen=True, slots=True)
class _Told:
    """What `benchmarks.dask_dispatcher` prints."""

    count: int
    lasted_s: float
    medians_s: dict[str, float]


@dataclass
class _Meter:
    """What a dispatcher, its client, the scheduler and the workers have used; those that are gone, to their last."""

    cluster: dict[int, str]
    dispatcher: int
    _before: dict[int, float] = field(init=False)
    _seen: dict[str, dict[int, Used]] = field(default_factory=lambda: defaultdict(dict))

    def __post_init__(self) -> None:
        self._before = {pid: processes.used(pid).cpu_s for pid in self.cluster}

    def look(self) -> None:
        """Read all; to be done often enough that little is missed before a process's end."""
        client = dict.fromkeys(processes.descendants(self.dispatcher, named=_CLIENT), "client")
        for pid, who in {**self.cluster, self.dispatcher: "dispatcher", **client}.items():
            with suppress(OSError):
                self._seen[who][pid] = processes.used(pid)

    def cpu_s(self, who: str) -> float:
        """Since the beginning, of all who are called so."""
        return sum(used.cpu_s - self._before.get(pid, 0.0) for pid, used in self._seen[who].items())

    def peak_mb(self, who: str) -> float:
        """The most each of them had at a time, added up; pages they share count for each."""
        return sum(used.peak_bytes for used in self._seen[who].values()) / 1e6


def measure(cluster: DaskCluster, workers: int, count: int) -> list[Figure]:
    """The jobs cost no more than their shell and walls, so that what is seen is ours and Dask's."""
    with tempfile.TemporaryDirectory(prefix="rampart-bench-") as name:
        folder = Path(name)
        noted = folder / "launched"
        prefix = jobs.make_prefix(_JOB, folder / "prefix")
        _note_launches(prefix / "bin" / "python", noted)
        event = rehearsal.open_event(folder, "queue", worker_of(cluster, prefix), _JOB, n_workers=workers)
        _fill(event, folder / "code", count)
        told, meter = _served(cluster, workers, event)
        launched = noted.read_text().splitlines()
        return _figures(told, meter, workers, count, launched)


def worker_of(cluster: DaskCluster, prefix: Path) -> str:
    """The inside of an event's worker section, for a cluster whose machines are all this one."""
    place = f"dask_scheduler: '{cluster.scheduler.address}', dask_tls_dir: {cluster.client.key.parent}"
    return f"worker_type: dask, env: venv, venv_dir: {prefix}, {place}"


def _note_launches(python: Path, noted: Path) -> None:
    python.unlink()
    python.write_text(_NOTING_PYTHON.format(noted=noted, python=sys.executable))
    python.chmod(0o755)


def _fill(event: EventConfig, code: Path, count: int) -> None:
    code.mkdir()
    (code / _JOB.code_name).write_text(_JOB.trivial)
    catalogue = open_catalogue(event)
    catalogue.add_event(event, _JOB.kit)
    catalogue.add_team(event.name, _TEAM)
    for number in range(count):
        catalogue.add_submission(event, _TEAM, f"s{number}", code)


def _served(cluster: DaskCluster, workers: int, event: EventConfig) -> tuple[_Told, _Meter]:
    """Serve the queue to its end in a process of its own; raises where a submission is not scored."""
    roles = {cluster.pid(f"worker{number}"): "workers" for number in range(workers)}
    command = [sys.executable, "-m", "benchmarks.dask_dispatcher", str(event.path)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as dispatcher:
        meter = _Meter({cluster.pid("scheduler"): "scheduler", **roles}, dispatcher.pid)
        try:
            while True:
                meter.look()
                with suppress(subprocess.TimeoutExpired):
                    told = dispatcher.communicate(timeout=_LOOK_S)[0]
                    break
        finally:
            dispatcher.kill()
    if dispatcher.returncode != 0:
        raise RuntimeError("the queue was not served to its end")
    return _Told(**json.loads(told)), meter


def _figures(told: _Told, meter: _Meter, workers: int, count: int, launched: list[str]) -> list[Figure]:
    what = f"{count} queued submissions on {workers} Dask workers (TLS, loopback)"
    took = ", ".join(f"{stage} {seconds * 1000:.0f} ms" for stage, seconds in told.medians_s.items())
    each_ms = {who: meter.cpu_s(who) / count * 1000 for who in ("dispatcher", "client", "scheduler", "workers")}
    spent = ", ".join(f"{who} {ms:.0f} ms" for who, ms in each_ms.items())
    lost, again = count - told.count, len(launched) - len({job.rpartition("-")[0] for job in launched})
    return [
        Figure(
            f"{what}: submissions per minute",
            round(told.count / told.lasted_s * 60),
            "/min",
            "",
            f"in {told.lasted_s:.0f} s, with jobs that cost no more than their shell, behind walls; medians: {took}",
        ),
        Figure(
            f"{what}: lost or run twice",
            lost + again,
            "",
            "0",
            f"{told.count} were scored; {len(launched)} jobs were launched, counted where the workers launch them",
        ),
        *(
            Figure(
                f"{what}: CPU of the {name}",
                round(100 * meter.cpu_s(who) / told.lasted_s, 1),
                "% of a core",
                "",
                note,
            )
            for who, name, note in (
                ("dispatcher", "dispatcher", f"CPU for each submission: {spent} (all workers, without what they run)"),
                ("client", "dispatcher's client", "the walled process that holds Dask's client, with what carries"),
            )
        ),
        *(
            Figure(f"{what}: memory of the {name} at its highest", round(meter.peak_mb(who)), "MB", "", note)
            for who, name, note in (
                ("dispatcher", "dispatcher", "resident"),
                ("client", "dispatcher's client", "resident, the walls' own processes included"),
            )
        ),
    ]
