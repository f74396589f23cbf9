"""Compare an event on this machine with bare `ramp-test` calls, as many at a time."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from benchmarks import deployment, script
from benchmarks.figures import Figure
from benchmarks.serving import serve
from contracts.event import EventConfig
from contracts.work import HostLayout, Work
from runner import commands
from runner.job.supervise import job_environment

WORKERS = 2
EVENT = """
ramp: {{problem_name: iris, event_name: iris, kit_dir: examples/iris, data_dir: examples/iris}}
worker: {{worker_type: conda, env: venv, venv_dir: {prefix}, timeout: 120, memory_limit_mib: 1024}}
dispatcher: {{n_workers: {workers}, n_threads: 1, hunger_policy: exit}}
"""


def measure(quick: bool) -> list[Figure]:
    """Half of the bare runs go before ours, half after: what else the machine does then counts for both."""
    count = 8 if quick else 40
    with deployment.deployment_folder() as folder:
        event = deployment.opened(folder, EVENT.format(prefix=sys.prefix, workers=WORKERS))
        deployment.fill_queue(event, _short(event), count)
        bare_s = _bare(event, folder / "bare-before", count // 2)
        ended = serve(event)
        bare_s += _bare(event, folder / "bare-after", count - count // 2)
    ours_s = (max(one.recorded_at for one in ended) - min(one.claimed_at for one in ended)) / timedelta(seconds=1)
    return [
        Figure(
            f"{count} short submissions, {WORKERS} local workers: first claim to last record, against bare `ramp-test`",
            round(ours_s / bare_s, 3),
            "x",
            "≤ 1.03 x",
            f"{ours_s:.1f} s against {bare_s:.1f} s ({count / ours_s * 60:.0f} submissions/min), same kit, environment "
            f"and code; the bare ones half before and half after",
        )
    ]


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
        with (job / "log").open("wb") as log:
            subprocess.run(
                commands.ramp_test(layout, str(job), work),
                cwd=layout.kit_dir, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=True,
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
