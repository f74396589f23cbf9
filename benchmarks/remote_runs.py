"""Measure how long an event takes on hosts of the local cloud, besides the jobs themselves."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from statistics import median

from benchmarks import deployment, script
from benchmarks.cloud import running_cloud
from benchmarks.deployment import REPOSITORY
from benchmarks.figures import Figure, percentile
from benchmarks.serving import Ended, serve
from contracts.event import EventConfig
from runner.progress import Stage
from tasks import image_building, image_following, stack

_SUBMISSION = Path(__file__).with_name("submission")
_ENDED_AT = re.compile(r"^ended at (\d+\.\d+)$", re.MULTILINE)
_BESIDE_THE_JOB = (Stage.PUSH, Stage.LAUNCH, Stage.PULL, Stage.SCORE, Stage.RECORD)


def measure(quick: bool) -> list[Figure]:
    """Cloud, hosts and dispatcher share this machine's cores with the jobs: the figures are upper bounds."""
    count = 4 if quick else 20
    with deployment.deployment_folder() as folder, running_cloud(folder / "cloud") as cloud:
        os.environ.update(cloud.environment)
        event = deployment.opened(folder, (REPOSITORY / "events/iris/config.yml").read_text(encoding="utf-8"))
        outputs = stack.up(event, local=True)
        image_building.build(event)
        deployment.fill_queue(event, _SUBMISSION, count)
        ended = serve(event, outputs=outputs, image=image_following.followed(event))
        return [*_time_to_scores(event, ended), _overhead(ended), _boot(ended)]


def _time_to_scores(event: EventConfig, ended: Sequence[Ended]) -> list[Figure]:
    late_s = [one.recorded_at.timestamp() - _end_of_training(event, one) for one in ended]
    what = "end of training to scores in the database, remote host"
    how = f"{len(ended)} runs, from the last thing `ramp-test`'s process does"
    return [
        Figure(f"{what}: median", round(median(late_s), 3), "s", "≤ 0.15 s", how),
        Figure(f"{what}: p95", round(percentile(late_s, 95), 3), "s", "≤ 1 s", f"slowest {max(late_s):.3f} s"),
    ]


def _end_of_training(event: EventConfig, one: Ended) -> float:
    """The log's last word, by the clock host and dispatcher share here."""
    path: Path = one.scored.pulled.log_path
    found = _ENDED_AT.findall(path.read_text(encoding="utf-8"))
    if not found:
        raise RuntimeError(f"{event.name}: {path} does not say when the training ended")
    return float(found[-1])


def _overhead(ended: Sequence[Ended]) -> Figure:
    """All between claim and record that is neither booting nor the job itself."""

    def beside_the_job(one: Ended) -> float:
        total_s = (one.recorded_at - one.claimed_at) / timedelta(seconds=1)
        return total_s - one.steps[Stage.PROVISION] - one.scored.pulled.finished.exit.wall_time_s

    stages = ", ".join(f"{stage} {_ms(median(one.steps[stage] for one in ended))}" for stage in _BESIDE_THE_JOB)
    waits = median(one.steps[Stage.WAIT] - one.scored.pulled.finished.exit.wall_time_s for one in ended)
    return Figure(
        "overhead per remote submission besides the job, host provisioned: median",
        round(median(map(beside_the_job, ended)), 3),
        "s",
        "≤ 0.2 s",
        f"medians: {stages}, wait beyond the job {_ms(waits)}; the rest is connecting",
    )


def _boot(ended: Sequence[Ended]) -> Figure:
    provisioned_s = [one.steps[Stage.PROVISION] for one in ended]
    how = "launch call to a host that answered over SSH and said where the challenge lies"
    return Figure("launch to SSH ready on the local cloud: median", round(median(provisioned_s), 3), "s", "", how)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"


if __name__ == "__main__":
    script.main(measure)
