"""Count what AWS is asked while a queue goes through twenty hosts at a time."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import script
from benchmarks.aws_calls import AwsCalls
from benchmarks.figures import Figure
from benchmarks.serving import serve
from clients import keys
from contracts.image import ImageReference, ImageStatus
from localcloud import LocalCloud
from runner.app import open_catalogue
from tests.faults import hosts, jobs, rehearsal
from tests.integration.clouds import KEY_NAME, Cloud

HOSTS = 20
TEAM = "blue"
_JOB = jobs.STAND_IN
# lengths differ as those of submissions do: hosts do not all become free at the same moment
_SECONDS = (0.5, 0.7, 0.9, 1.1)
_TARGETS = {
    "CreateFleet": "≤ 5 per 100",
    "TerminateInstances": "≤ 5 per 100",
    "DescribeInstances": "1 a tick",
    "CreateTags": "0",
}


def measure(quick: bool) -> list[Figure]:
    """Jobs only sleep, for hosts and cloud share this machine; what the dispatcher asks does not depend on that."""
    count = 2 * HOSTS if quick else 5 * HOSTS
    with tempfile.TemporaryDirectory(prefix="rampart-bench-") as name, LocalCloud() as local:
        if local.level == "plain":  # a home there has no path that an image could name
            return []
        folder = Path(name)
        asked = _asked(folder, _cloud(local, folder), count)
    how = f"a host for each submission, {count // HOSTS} launches at least; jobs of {_SECONDS[0]} to {_SECONDS[-1]} s"
    asked.setdefault("CreateTags", 0)
    return [
        Figure(f"AWS calls for {count} submissions on {HOSTS} hosts: {verb}", number, "", _TARGETS.get(verb, ""), how)
        for verb, number in asked.most_common()
    ]


def _cloud(local: LocalCloud, folder: Path) -> Cloud:
    key_path = folder / "key"
    cloud = Cloud(local, key_path)
    cloud.client("ec2").import_key_pair(KeyName=KEY_NAME, PublicKeyMaterial=keys.new_key_file(key_path).encode())
    return cloud


def _asked(folder: Path, cloud: Cloud, count: int) -> Counter[str]:
    """What one dispatcher asks, from its first claim to its last record."""
    stack = hosts.prepared(cloud).stack("many_hosts", _JOB)
    worker = f"worker_type: aws, key_path: {cloud.key_path}"
    os.environ.update(stack.environment)
    event = rehearsal.open_event(folder, "many_hosts", worker, _JOB, n_workers=HOSTS)
    catalogue = open_catalogue(event)
    catalogue.add_event(event, _JOB.kit)
    catalogue.add_team(event.name, TEAM)
    for number in range(count):
        code = folder / "code" / str(number)
        code.mkdir(parents=True)
        (code / _JOB.code_name).write_text(f"sleep {_SECONDS[number % len(_SECONDS)]}\n")
        catalogue.add_submission(event, TEAM, f"s{number}", code)
    image = ImageReference(stack.image_id, "of-the-benchmark", datetime.now(UTC), ImageStatus.VERIFIED)
    calls = AwsCalls()
    calls.watch()
    serve(event, outputs=stack.outputs, image=lambda: image)
    return calls.taken()


if __name__ == "__main__":
    script.main(measure)
