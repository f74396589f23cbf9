"""Deploy the example's event into the local cloud, for tests that make images of it and look at them."""

from __future__ import annotations

import json
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import pytest

from clients.aws.images import Images
from clients.aws.pipelines import Pipelines
from clients.aws.session import session_for
from contracts.event import EventConfig
from contracts.image import EVENT_TAG, PREFIX, STATUS_TAG, ImageReference, ImageStatus, MachineImage
from contracts.stack import StackOutputs
from imagebuilder import images
from imagebuilder.building import build
from tasks import events
from tasks import stack as deployment
from tests.integration.clouds import Cloud

EXAMPLE = Path(__file__).parents[3] / "examples" / "iris"
_DIGEST = Path(__file__).parent / "tree_digest.py"


@dataclass(frozen=True)
class Stack:
    """An event with a kit of its own, as `up` deploys it; what is asked of it is asked of the cloud."""

    event: EventConfig
    cloud: Cloud

    @property
    def kit(self) -> Path:
        return self.event.ramp.kit_dir

    @cached_property
    def own(self) -> Images:
        """Images of the account: kept, as a client takes a third of a second to make."""
        return Images(session_for(self.event))

    @property
    def outputs(self) -> StackOutputs:
        return deployment.needed_outputs(self.event)

    def up(self) -> StackOutputs:
        """Deploy the event as it is now."""
        return deployment.up(self.event, local=True, skip_preflight=True)

    def build(self, audience: build.Audience | None = None, patience: build.Patience | None = None) -> ImageReference:
        """Build an image through the pipeline."""
        pipelines = Pipelines(session_for(self.event))
        arn = self.outputs.image_pipeline_arn
        return build.build(pipelines, arn, client_token=uuid.uuid4().hex, audience=audience, patience=patience)

    def images(self) -> list[str]:
        """The ids of the event's images."""
        return [image.image_id for image in self.own.tagged({EVENT_TAG: self.event.name})]

    def image(self, image_id: str) -> MachineImage:
        """One image as it is now."""
        found = self.own.by_id(image_id)
        assert found is not None
        return found

    def mark(self, image_id: str, status: ImageStatus) -> MachineImage:
        """Say of an image how far it has proved itself."""
        self.own.tag(image_id, {STATUS_TAG: status.value})
        return self.image(image_id)

    def offered(self, *, require_verified: bool) -> ImageReference:
        """The image that runs of the event get. Raises ImageNotFound."""
        image = self.event.infra.image.model_copy(update={"require_verified": require_verified})
        event = self.event.model_copy(update={"infra": self.event.infra.model_copy(update={"image": image})})
        return images.resolve(event, self.own, now=datetime.now(UTC))

    def instances(self) -> list[str]:
        """The event's instances that have not ended, whatever they were for."""
        filters = [
            {"Name": "tag:rampart:event", "Values": [self.event.name]},
            {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
        ]
        answer = self.cloud.client("ec2").describe_instances(Filters=filters)
        return [one["InstanceId"] for reservation in answer["Reservations"] for one in reservation["Instances"]]

    @contextmanager
    def host(self, image_id: str) -> Iterator[tuple[str, str]]:
        """A fresh host of an image: its instance's id and its address."""
        instance = self.cloud.launch(ImageId=image_id)
        try:
            yield instance["InstanceId"], instance["PublicIpAddress"]
        finally:
            self.cloud.terminate(instance["InstanceId"])

    @contextmanager
    def changed(self, image_id: str, script: str) -> Iterator[MachineImage]:
        """An image as a build leaves it, made of a host of `image_id` on which a script ran; gone afterwards."""
        ec2 = self.cloud.client("ec2")
        with self.host(image_id) as (instance_id, address):
            done = self.cloud.ssh(address, script)
            assert done.returncode == 0, done.stderr
            name = f"{self.event.image_name} {datetime.now(UTC):%Y-%m-%dT%H-%M-%S}.{uuid.uuid4().int % 10**9}Z"
            made = ec2.create_image(InstanceId=instance_id, Name=name)["ImageId"]
        ec2.create_tags(Resources=[made], Tags=[{"Key": EVENT_TAG, "Value": self.event.name}])
        try:
            yield self.mark(made, ImageStatus.TESTED)
        finally:
            ec2.deregister_image(ImageId=made)

    def tree(self, image_id: str) -> list[str]:
        """What a fresh host of an image has, a line each."""
        with self.host(image_id) as (_, address):
            command = f"sudo -n {sys.prefix}/bin/python - {PREFIX} ~/.rampart"
            done = self.cloud.ssh(address, command, stdin=_DIGEST.read_bytes())
            assert done.returncode == 0, done.stderr
            return done.stdout.decode().splitlines()


@contextmanager
def of_event(cloud: Cloud, folder: Path) -> Iterator[Stack]:
    """The example's event under a name of its own, yet to be deployed; what was is destroyed afterwards.

    Meanwhile this process's environment points at the local cloud.
    """
    kit = folder / "kit"
    shutil.copytree(EXAMPLE, kit, ignore=shutil.ignore_patterns("__pycache__", "training_output"))
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in cloud.environment.items():
            patch.setenv(variable, value)
        stack = Stack(_event(folder, kit, f"iris-{uuid.uuid4().hex[:6]}", cloud), cloud)
        try:
            yield stack
        finally:
            deployment.destroy(stack.event, local=True)


def _event(folder: Path, kit: Path, name: str, cloud: Cloud) -> EventConfig:
    sections = {
        "ramp": {"problem_name": "iris", "event_name": name, "kit_dir": str(kit), "data_dir": str(kit)},
        "worker": {
            "worker_type": "aws",
            "region_name": cloud.environment["AWS_DEFAULT_REGION"],
            "ami_image_name": f"{name}-backend",
        },
        "infra": {
            "allowed_cidrs": ["127.0.0.0/8"],
            "image": {"kit": {"folder": str(kit)}, "environment": "existing", "prefix": sys.prefix},
        },
    }
    path = folder / "events" / name / "config.yml"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(sections))  # which is YAML too
    return events.open_event(str(path))
