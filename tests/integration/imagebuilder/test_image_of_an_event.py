"""An event's image is built through its declared pipeline, tested, chosen, and a host of it is ready to run."""

from __future__ import annotations

import json
import shutil
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from clients.aws.images import Images
from clients.aws.pipelines import Pipelines
from clients.aws.session import session_for
from contracts.errors import ImageBuildFailed, ImageNotFound
from contracts.event import EventConfig
from contracts.image import ImageStatus
from imagebuilder import images
from imagebuilder.building import build
from infra import program
from localcloud.deployer import Deployer
from tests.integration.clouds import KEY_NAME, Cloud

EXAMPLE = Path(__file__).parents[3] / "examples" / "iris"


@dataclass(frozen=True)
class Stack:
    """A deployed event with a kit of its own."""

    event: EventConfig
    deployer: Deployer
    cloud: Cloud

    @property
    def kit(self) -> Path:
        return self.event.ramp.kit_dir

    def up(self) -> str:
        """Deploy the event as it is now and give its pipeline."""
        deployed = self.deployer.up(lambda: program.build(self.event), project="rampart", stack=self.event.name)
        return str(deployed.outputs["image_pipeline_arn"])

    def instances(self) -> list[str]:
        """The instances that image builds have left running."""
        filters = [
            {"Name": "tag:rampart:event", "Values": [self.event.name]},
            {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
        ]
        answer = self.cloud.client("ec2").describe_instances(Filters=filters)
        return [one["InstanceId"] for reservation in answer["Reservations"] for one in reservation["Instances"]]


@pytest.fixture
def stack(cloud: Cloud, aws_environment: dict[str, str], tmp_path: Path) -> Iterator[Stack]:
    name = f"iris-{uuid.uuid4().hex[:6]}"
    kit = tmp_path / "kit"
    shutil.copytree(EXAMPLE, kit, ignore=shutil.ignore_patterns("__pycache__", "training_output"))
    event = EventConfig.model_validate(
        {
            "path": tmp_path / "config.yml",
            "deployment": tmp_path,
            "state_root": tmp_path / ".rampart",
            "database_url": "sqlite://",
            "ramp": {
                "problem_name": "iris",
                "event_name": name,
                "kit_dir": kit,
                **{key: tmp_path / key for key in ("data_dir", "submissions_dir", "predictions_dir", "logs_dir")},
            },
            "worker": {
                "worker_type": "aws",
                "key_name": KEY_NAME,
                "region_name": aws_environment["AWS_DEFAULT_REGION"],
                "ami_image_name": f"{name}-backend",
            },
            "infra": {
                "allowed_cidrs": ["127.0.0.0/8"],
                "image": {"kit": {"folder": kit}, "environment": "existing", "prefix": sys.prefix},
            },
        }
    )
    deployer = Deployer(tmp_path / "stack.json", cloud.environment)
    yield Stack(event, deployer, cloud)
    deployer.destroy()


def test_a_host_launched_from_the_built_image_has_the_challenge_ready(stack: Stack) -> None:
    session = session_for(stack.event)
    told: list[build.Progress] = []
    audience = build.Audience(progress=told.append)
    built = build.build(Pipelines(session), stack.up(), client_token=uuid.uuid4().hex, audience=audience)
    assert built.status is ImageStatus.TESTED
    assert any("Bagged scores" in line for progress in told for line in progress.lines)
    assert stack.instances() == []

    chosen = images.resolve(stack.event, Images(session), now=datetime.now(UTC))
    assert (chosen.image_id, chosen.name, chosen.status) == (built.image_id, built.name, built.status)

    instance = stack.cloud.launch(ImageId=chosen.image_id)
    try:
        address = instance["PublicIpAddress"]
        answer = stack.cloud.ssh(address, "cat ~/.rampart/layout.json")
        layout = json.loads(answer.stdout)
        assert sorted(layout) == ["data_dir", "kit_dir", "python", "ramp_test"]
        quick_test = f"cd {layout['kit_dir']} && {layout['ramp_test']} --submission starting_kit --quick-test"
        assert b"Bagged scores" in stack.cloud.ssh(address, quick_test).stdout
    finally:
        stack.cloud.terminate(instance["InstanceId"])


def test_a_kit_whose_quick_test_fails_leaves_no_image_and_tells_step_and_log(stack: Stack) -> None:
    (stack.kit / "submissions" / "starting_kit" / "estimator.py").write_text("raise ValueError('not today')\n")
    session = session_for(stack.event)
    with pytest.raises(ImageBuildFailed) as caught:
        build.build(Pipelines(session), stack.up(), client_token=uuid.uuid4().hex)
    assert caught.value.step.endswith("phase test, step QuickTest")
    assert any("not today" in line for line in caught.value.log_tail)
    assert stack.instances() == []
    with pytest.raises(ImageNotFound):
        images.resolve(stack.event, Images(session), now=datetime.now(UTC))


def test_an_interrupted_build_leaves_no_instance(stack: Stack) -> None:
    interruptions = iter([KeyboardInterrupt()])

    def interrupt(pause_s: float) -> None:
        for interruption in interruptions:
            raise interruption
        Event().wait(pause_s)

    pipelines = Pipelines(session_for(stack.event))
    pipeline = stack.up()
    with pytest.raises(KeyboardInterrupt):
        build.build(pipelines, pipeline, client_token=uuid.uuid4().hex, patience=build.Patience(wait=interrupt))
    assert stack.instances() == []


def test_an_up_that_was_interrupted_and_forgotten_does_not_hinder_the_next_one(stack: Stack) -> None:
    forgotten = stack.up()
    # as after a process that was killed at each resource between its creation and the note of it
    (stack.event.deployment / "stack.json").unlink()
    assert stack.up() != forgotten
