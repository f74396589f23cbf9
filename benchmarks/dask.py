"""Measure an event on a Dask cluster: what a submission costs there, how a long queue goes through it."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from benchmarks import bare, dask_queue, deployment, folds, script
from benchmarks.figures import Figure
from benchmarks.serving import Ended, hosts_of, serve
from contracts.event import EventConfig
from runner.ports import Hosts
from runner.progress import Stage
from tests.dask_cluster import DaskCluster, dask_cluster

AT_A_TIME = 2
WORKERS = 4
EVENT = """
ramp: {{problem_name: iris, event_name: iris, kit_dir: examples/iris, data_dir: examples/iris}}
worker: {{{worker}, timeout: 120, memory_limit_mib: 1024}}
dispatcher: {{n_workers: {at_a_time}, n_threads: 1, hunger_policy: exit}}
"""


def measure(quick: bool) -> list[Figure]:
    """One cluster of processes of this machine, whose workers' homes make each of them a machine of its own."""
    rounds, count, queued = (2, 4, 20) if quick else (4, 6, 500)
    with (
        tempfile.TemporaryDirectory(prefix="rampart-bench-") as name,
        dask_cluster(Path(name), workers=AT_A_TIME) as cluster,
    ):
        figures = _overhead(cluster, rounds, count)
        for number in range(AT_A_TIME, WORKERS):
            cluster.start_worker(f"worker{number}")
        return [*figures, *dask_queue.measure(cluster, WORKERS, queued), _folds(cluster, 3.0 if quick else 20.0)]


def _overhead(cluster: DaskCluster, rounds: int, count: int) -> list[Figure]:
    """In rounds, so that what else the machine does meanwhile counts for both, and shows as a spread."""
    worker = dask_queue.worker_of(cluster, Path(sys.prefix))
    with deployment.deployment_folder() as folder:
        event = deployment.opened(folder, EVENT.format(worker=worker, at_a_time=AT_A_TIME))
        with hosts_of(event) as hosts:
            bare.seconds(event, folder / "first", AT_A_TIME, at_a_time=AT_A_TIME)  # these read all from the disk
            deployment.fill_queue(event, bare.short(event), AT_A_TIME, prefix="first")
            first = serve(event, hosts=hosts)
            made = []
            for number in range(rounds):
                deployment.fill_queue(event, bare.short(event), count, prefix=f"round_{number}")
                made.append(_round(event, hosts, folder / str(number), count, ours_first=number % 2 == 1))
    return [_ratio(made, rounds * count), _beginning(first)]


def _round(event: EventConfig, hosts: Hosts, folder: Path, count: int, *, ours_first: bool) -> tuple[float, float]:
    """Seconds that the same submissions took our way, and those without us; either may come first."""
    ours_s = _lasted_s(serve(event, hosts=hosts)) if ours_first else None
    bare_s = bare.seconds(event, folder, count, at_a_time=AT_A_TIME)
    return _lasted_s(serve(event, hosts=hosts)) if ours_s is None else ours_s, bare_s


def _lasted_s(ended: Sequence[Ended]) -> float:
    return (max(one.recorded_at for one in ended) - min(one.claimed_at for one in ended)) / timedelta(seconds=1)


def _ratio(made: Sequence[tuple[float, float]], total: int) -> Figure:
    ours_s, bare_s = sum(ours for ours, _ in made), sum(theirs for _, theirs in made)
    ratios = sorted(ours / theirs for ours, theirs in made)
    each_ms = (ours_s - bare_s) * AT_A_TIME / total * 1000
    return Figure(
        f"{total} short submissions, {AT_A_TIME} Dask workers (TLS, loopback): first claim to last record, against "
        f"bare `ramp-test`",
        round(ours_s / bare_s, 3),
        "x",
        "",
        f"{ours_s:.1f} s against {bare_s:.1f} s, {each_ms:.0f} ms more for each, in {len(made)} rounds, whose ratios "
        f"are {ratios[0]:.2f} to {ratios[-1]:.2f}; scheduler and workers share the jobs' {os.cpu_count()} cores",
    )


def _beginning(first: Sequence[Ended]) -> Figure:
    return Figure(
        "first place on a Dask cluster in a loop's life",
        round(max(one.steps[Stage.PROVISION] for one in first), 2),
        "s",
        "",
        "the process of Dask's client starts behind its walls and connects, once for all runs",
    )


def _folds(cluster: DaskCluster, fold_s: float) -> Figure:
    """Folds that sleep, so that one machine will do for all workers."""
    took_s = folds.submission_s(dask_queue.worker_of(cluster, Path(sys.prefix)), fold_s, folds.FOLDS)
    return Figure(
        f"one submission of {folds.FOLDS} folds of {fold_s:g} s on {WORKERS} Dask workers, claim to record, against "
        f"the training of one fold",
        round(took_s / fold_s, 2),
        "x",
        "",
        f"{took_s:.1f} s, connecting included; {folds.FOLDS} jobs start at once on {os.cpu_count()} cores",
    )


if __name__ == "__main__":
    script.main(measure)
