"""Use an Image Builder as an organiser's tools do: by its API alone."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.integration.clouds import UBUNTU, Cloud

ENDED = ("AVAILABLE", "FAILED", "CANCELLED")
PROFILE = "image-builder"


def document(**phases: str) -> str:
    """A document with one ExecuteBash step, named after its phase, per phase."""
    lines = ["schemaVersion: 1.0", "parameters:", "  - Home: {type: string, default: /home/ubuntu}", "phases:"]
    for phase, script in phases.items():
        lines += [f"  - name: {phase}", "    steps:", f"      - name: {phase}-step", "        action: ExecuteBash"]
        lines += ["        inputs:", "          commands:", "            - |"]
        lines += [f"              {line}" for line in script.splitlines()]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Image:
    """A build that was asked for."""

    builder: Builder
    arn: str

    def shown(self) -> dict[str, Any]:
        image: dict[str, Any] = self.builder.client.get_image(imageBuildVersionArn=self.arn)["image"]
        return image

    @property
    def status(self) -> str:
        return str(self.shown()["state"]["status"])

    def ended(self) -> dict[str, Any]:
        """The image once its build has ended."""
        self.builder.wait(lambda: self.status in ENDED)
        return self.shown()

    def log(self) -> list[str]:
        logs, (name, stream) = self.builder.cloud.client("logs"), self._place()
        try:
            answer = logs.get_log_events(logGroupName=name, logStreamName=stream, startFromHead=True)
        except logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in answer["events"]]

    def instances(self) -> list[str]:
        """States of the instances the build has launched."""
        found = self.builder.cloud.client("ec2").describe_instances(
            Filters=[{"Name": "tag:Ec2ImageBuilderArn", "Values": [self.arn]}]
        )
        return [item["State"]["Name"] for reservation in found["Reservations"] for item in reservation["Instances"]]

    def amis(self) -> list[dict[str, Any]]:
        """AMIs of ours whose name begins with the recipe's."""
        name = f"{self.shown()['name']} *"
        found = self.builder.cloud.client("ec2").describe_images(
            Owners=["self"], Filters=[{"Name": "name", "Values": [name]}]
        )
        images: list[dict[str, Any]] = found["Images"]
        return images

    def _place(self) -> tuple[str, str]:
        image = self.shown()
        return f"/aws/imagebuilder/{image['name']}", image["version"]


@dataclass(frozen=True)
class Builder:
    """Image Builder's client with the usual calls; names are new each time."""

    cloud: Cloud
    client: Any

    def component(self, data: str) -> str:
        name = f"part-{uuid.uuid4().hex[:12]}"
        answer = self.client.create_component(name=name, semanticVersion="1.0.0", platform="Linux", data=data)
        return str(answer["componentBuildVersionArn"])

    def recipe(self, data: str, parent: str = f"ssm:{UBUNTU}") -> str:
        answer = self.client.create_image_recipe(
            name=f"recipe-{uuid.uuid4().hex[:12]}",
            semanticVersion="1.0.0",
            components=[{"componentArn": self.component(data)}],
            parentImage=parent,
        )
        return str(answer["imageRecipeArn"])

    def infrastructure(self, profile: str = PROFILE, **more: Any) -> str:
        name = f"infrastructure-{uuid.uuid4().hex[:12]}"
        answer = self.client.create_infrastructure_configuration(
            name=name, instanceProfileName=profile, instanceTypes=["t3.small"], **more
        )
        return str(answer["infrastructureConfigurationArn"])

    def build(self, data: str, *, infrastructure: str | None = None, **more: Any) -> Image:
        answer = self.client.create_image(
            imageRecipeArn=self.recipe(data),
            infrastructureConfigurationArn=infrastructure or self.infrastructure(),
            **more,
        )
        return Image(self, answer["imageBuildVersionArn"])

    def wait(self, is_so: Callable[[], bool], seconds: float = 60) -> None:
        """Ask again and again; the API has no other way to wait."""
        pause = threading.Event()
        for _ in range(int(seconds / 0.05)):
            if is_so():
                return
            pause.wait(0.05)
        raise AssertionError(f"it did not become so within {seconds:g} s")
