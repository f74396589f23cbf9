"""Compare an event on this machine with bare `ramp-test` calls, as many at a time."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks import cpu, deployment, script
from benchmarks.figures import Figure
from benchmarks.serving import serve
from contracts.event import EventConfig
from contracts.work import HostLayout, Work
from runner import commands
from runner.job.supervisor.environment import job_environment

WORKERS = 2
EVENT = """
ramp: {{problem_name: iris, event_name: iris, kit_dir: examples/iris, data_dir: examples/iris}}
worker: {{worker_type: conda, env: venv, venv_dir: {prefix}, timeout: 120, memory_limit_mib: 1024}}
dispatcher: {{n_workers: {workers}, n_threads: 1, hunger_policy: exit}}
"""


@dataclass(frozen=True, slots=True)
class _Took:
    """Seconds by the clock, of CPU in all processes, and of CPU in this one alone."""

    wall_s: float
    cpu_s: float
    own_cpu_s: float


@dataclass(frozen=True, slots=True)
class _Round:
    """What the same submissions took both ways, one after the other."""

    bare: _Took
    ours: _Took


def measure(quick: bool) -> list[Figure]:
    """In rounds, so that what else the machine does meanwhile counts for both, and shows as a spread."""
    rounds, count = (2, 4) if quick else (5, 8)
    cpu.adopt_orphans()
    with deployment.deployment_folder() as folder:
        event = deployment.opened(folder, EVENT.format(prefix=sys.prefix, workers=WORKERS))
        _bare(event, folder / "first", WORKERS)  # the first ones read everything from the disk
        made = []
        for number in range(rounds):
            deployment.fill_queue(event, _short(event), count, prefix=f"round_{number}")
            made.append(_round(event, folder / str(number), count, ours_first=number % 2 == 1))
    return _figures(made, rounds * count)


def _round(event: EventConfig, folder: Path, count: int, *, ours_first: bool) -> _Round:
    def bare() -> _Took:
        return _taken(lambda: _bare(event, folder, count))

    def ours() -> _Took:
        return _taken(lambda: _ours(event))

    if ours_first:
        took = ours()
        return _Round(bare(), took)
    return _Round(bare(), ours())


def _figures(made: Sequence[_Round], total: int) -> list[Figure]:
    ours_s, bare_s = sum(one.ours.wall_s for one in made), sum(one.bare.wall_s for one in made)
    ours_cpu_s, bare_cpu_s = sum(one.ours.cpu_s for one in made), sum(one.bare.cpu_s for one in made)
    own_s = sum(one.ours.own_cpu_s for one in made)
    ratios = sorted(one.ours.wall_s / one.bare.wall_s for one in made)
    return [
        Figure(
            f"{total} short submissions, {WORKERS} local workers: first claim to last record, against bare `ramp-test`",
            round(ours_s / bare_s, 3),
            "x",
            "≤ 1.03 x",
            f"{ours_s:.1f} s against {bare_s:.1f} s ({total / ours_s * 60:.0f} submissions/min) in {len(made)} rounds, "
            f"whose ratios are {ratios[0]:.2f} to {ratios[-1]:.2f}; same kit, environment and code",
        ),
        Figure(
            "CPU of all processes for those, against bare `ramp-test`",
            round(ours_cpu_s / bare_cpu_s, 3),
            "x",
            "",
            f"{ours_cpu_s / total:.2f} s against {bare_cpu_s / total:.2f} s per submission, {own_s / total:.3f} s of "
            f"them in the dispatcher; less shaken by what else the machine does",
        ),
    ]


def _taken(act: Callable[[], float]) -> _Took:
    """What something took that itself tells its time by the clock."""
    all_s, own_s = cpu.spent_s(), time.process_time()
    wall_s = act()
    own_s = time.process_time() - own_s
    return _Took(wall_s, cpu.spent_s() - all_s, own_s)


def _ours(event: EventConfig) -> float:
    ended = serve(event)
    return (max(one.recorded_at for one in ended) - min(one.claimed_at for one in ended)) / timedelta(seconds=1)


def _bare(event: EventConfig, folder: Path, count: int) -> float:
    """Seconds that `ramp-test` alone takes for `count` submissions."""
    binaries = Path(sys.prefix) / "bin"
    layout = HostLayout(
        str(event.ramp.kit_dir), str(event.ramp.data_dir), str(binaries / "python"), str(binaries / "ramp-test")
    )

    def run(number: int) -> None:
        job = folder / str(number)
        work = Work(number, event.name, deployment.TEAM, f"short_{number}", 1, job, job, job, 120.0)
        environment = job_environment(job, layout.ramp_test, 1)
        for name in ("home", "tmp"):
            (job / name).mkdir()
        with (job / "log").open("wb") as log:
            subprocess.run(
                commands.ramp_test(layout, str(job), work),
                cwd=layout.kit_dir, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True,
                start_new_session=True,  # as our jobs have: Linux shares a busy machine out by session, not by process
            )  # fmt: skip

    for number in range(count):
        shutil.copytree(_short(event), folder / str(number) / "submissions" / f"submission_{number:09d}")
    began = time.monotonic()
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(run, range(count)))
    return time.monotonic() - began


def _short(event: EventConfig) -> Path:
    """What a newcomer submits first; it ends in a second or two."""
    return event.ramp.kit_dir / "submissions" / "starting_kit"


if __name__ == "__main__":
    script.main(measure)
