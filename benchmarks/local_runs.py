"""Compare an event on this machine with bare `ramp-test` calls, as many at a time."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from benchmarks import bare, cpu, deployment, script
from benchmarks.figures import Figure
from benchmarks.serving import serve
from contracts.event import EventConfig

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
        bare.seconds(event, folder / "first", WORKERS, at_a_time=WORKERS)  # these read everything from the disk
        made = []
        for number in range(rounds):
            deployment.fill_queue(event, bare.short(event), count, prefix=f"round_{number}")
            made.append(_round(event, folder / str(number), count, ours_first=number % 2 == 1))
    return _figures(made, rounds * count)


def _round(event: EventConfig, folder: Path, count: int, *, ours_first: bool) -> _Round:
    def theirs() -> _Took:
        return _taken(lambda: bare.seconds(event, folder, count, at_a_time=WORKERS))

    def ours() -> _Took:
        return _taken(lambda: _ours(event))

    if ours_first:
        took = ours()
        return _Round(theirs(), took)
    return _Round(theirs(), ours())


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


if __name__ == "__main__":
    script.main(measure)
