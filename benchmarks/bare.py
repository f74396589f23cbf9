"""Run `ramp-test` as one does without Rampart, several at a time."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import deployment
from contracts.event import EventConfig
from contracts.work import HostLayout, Work
from runner import commands
from runner.job.supervisor.environment import job_environment


def seconds(event: EventConfig, folder: Path, count: int, *, at_a_time: int) -> float:
    """Seconds that `ramp-test` alone takes for `count` short submissions of an event, in folders of this process."""
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
        shutil.copytree(short(event), folder / str(number) / "submissions" / f"submission_{number:09d}")
    began = time.monotonic()
    with ThreadPoolExecutor(at_a_time) as pool:
        list(pool.map(run, range(count)))
    return time.monotonic() - began


def short(event: EventConfig) -> Path:
    """What a newcomer submits first; it ends in a second or two."""
    return event.ramp.kit_dir / "submissions" / "starting_kit"
