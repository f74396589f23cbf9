"""Ask of EC2's API what a build needs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from localcloud.imagebuilder import arns
from localcloud.imagebuilder.cancellation import Cancellation
from localcloud.imagebuilder.clients import Clients
from localcloud.imagebuilder.registry import Record

_PATIENCE_S = 120.0
_TICK_S = 0.2
_TICKS_TO_END = 5
_DEFAULT_TYPE = "m5.large"
_UBUNTU = "/aws/service/canonical/ubuntu/server/{}/stable/current/amd64/hvm/{}/ami-id"
_MANAGED = {
    "ubuntu-server-22-lts-x86": _UBUNTU.format("22.04", "ebs-gp2"),
    "ubuntu-server-24-lts-x86": _UBUNTU.format("24.04", "ebs-gp3"),
}


class ComputeFailed(Exception):
    """EC2 did not do what the build needs."""


def launch_request(infrastructure: Record, recipe: Record, *, image_id: str, name: str, image_arn: str) -> Record:
    """What RunInstances is asked for a build or test instance."""
    tags = {
        **infrastructure.get("resourceTags", {}),
        "Name": name,
        "CreatedBy": "EC2 Image Builder",
        "Ec2ImageBuilderArn": image_arn,
    }
    metadata = infrastructure.get("instanceMetadataOptions", {})
    placement = infrastructure.get("placement", {})
    request = {
        "ImageId": image_id,
        "InstanceType": (infrastructure.get("instanceTypes") or [_DEFAULT_TYPE])[0],
        "MinCount": 1,
        "MaxCount": 1,
        "IamInstanceProfile": {"Name": infrastructure["instanceProfileName"]},
        "SubnetId": infrastructure.get("subnetId"),
        "SecurityGroupIds": infrastructure.get("securityGroupIds"),
        "KeyName": infrastructure.get("keyPair"),
        "UserData": recipe.get("additionalInstanceConfiguration", {}).get("userDataOverride"),
        "MetadataOptions": _capitalised(metadata),
        "Placement": _capitalised(
            {name: placement[name] for name in ("availabilityZone", "tenancy") if name in placement}
        ),
        "BlockDeviceMappings": [_capitalised(device) for device in recipe.get("blockDeviceMappings", [])],
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}
            for kind in ("instance", "volume")
        ],
    }
    return {name: value for name, value in request.items() if value}


class Compute:
    """EC2 as one build needs it; waits end when the build is cancelled."""

    def __init__(self, clients: Clients, cancellation: Cancellation) -> None:
        self._clients = clients
        self._cancellation = cancellation

    def parent_image(self, reference: str, built: Mapping[str, Any] | None) -> str:
        """The AMI a recipe's parent image means; `built` is the image of ours it names, if it names one."""
        if reference.startswith("ssm:"):
            return self._parameter(reference.removeprefix("ssm:"))
        if built is not None:
            return str(built["outputResources"]["amis"][0]["image"])
        if reference.startswith("arn:"):
            name = arns.read(reference).name
            if name not in _MANAGED:
                raise ComputeFailed(f"the local cloud does not have the managed image {name}: {', '.join(_MANAGED)}")
            return self._parameter(_MANAGED[name])
        try:
            found = self._ec2.describe_images(ImageIds=[reference])["Images"]
        except ClientError as error:
            raise ComputeFailed(f"the parent image {reference} cannot be used: {error}") from error
        if not found:
            raise ComputeFailed(f"there is no parent image {reference}")
        return reference

    def launch(self, request: Record) -> str:
        """Start an instance and give its id."""
        self._cancellation.check()
        try:
            return str(self._ec2.run_instances(**request)["Instances"][0]["InstanceId"])
        except (BotoCoreError, ClientError) as error:
            raise ComputeFailed(f"the instance cannot be launched: {error}") from error

    def wait_until(self, instance_id: str, state: str) -> None:
        """Wait until an instance is in a state; it may be unknown for a moment after its launch."""
        give_up = time.monotonic() + _PATIENCE_S
        while (now := self._state(instance_id)) != state:
            if now in ("shutting-down", "terminated") or time.monotonic() > give_up:
                raise ComputeFailed(f"instance {instance_id} is {now}, not {state}")
            self._cancellation.wait(_TICK_S)

    def check_alive(self, instance_id: str) -> None:
        """Raise ComputeFailed when an instance is ending; its state may follow its processes a moment later."""
        for _ in range(_TICKS_TO_END):
            now = self._state(instance_id)
            if now != "running":
                raise ComputeFailed(f"instance {instance_id} is {now}, not running")
            self._cancellation.wait(_TICK_S)

    def restart(self, instance_id: str) -> None:
        """Stop an instance and start it again: every process of it is gone, its files are there."""
        try:
            self._ec2.stop_instances(InstanceIds=[instance_id])
            self.wait_until(instance_id, "stopped")
            self._ec2.start_instances(InstanceIds=[instance_id])
        except (BotoCoreError, ClientError) as error:
            raise ComputeFailed(f"instance {instance_id} cannot be restarted: {error}") from error
        self.wait_until(instance_id, "running")

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """End instances; it is done when this returns."""
        if not instance_ids:
            return
        try:
            self._ec2.terminate_instances(InstanceIds=list(instance_ids))
        except (BotoCoreError, ClientError) as error:
            raise ComputeFailed(f"{', '.join(instance_ids)} cannot be terminated: {error}") from error

    def create_image(self, instance_id: str, name: str, description: str) -> str:
        """Make an AMI of an instance and wait until it is available."""
        try:
            answer = self._ec2.create_image(InstanceId=instance_id, Name=name, Description=description)
        except (BotoCoreError, ClientError) as error:
            raise ComputeFailed(f"no image can be made of {instance_id}: {error}") from error
        return str(answer["ImageId"])

    def wait_for_image(self, image_id: str) -> None:
        """Wait until an AMI can be used."""
        give_up = time.monotonic() + _PATIENCE_S
        while True:
            found = self._ec2.describe_images(ImageIds=[image_id])["Images"]
            state = found[0]["State"] if found else "unknown"
            if state == "available":
                return
            if state in ("failed", "invalid", "error") or time.monotonic() > give_up:
                raise ComputeFailed(f"image {image_id} is {state}")
            self._cancellation.wait(_TICK_S)

    def discard_image(self, image_id: str) -> None:
        """Deregister an AMI and delete its snapshots."""
        try:
            images = self._ec2.describe_images(ImageIds=[image_id])["Images"]
            self._ec2.deregister_image(ImageId=image_id)
            for mapping in (mapping for image in images for mapping in image.get("BlockDeviceMappings", [])):
                if "SnapshotId" in mapping.get("Ebs", {}):
                    self._ec2.delete_snapshot(SnapshotId=mapping["Ebs"]["SnapshotId"])
        except (BotoCoreError, ClientError) as error:
            raise ComputeFailed(f"image {image_id} cannot be removed: {error}") from error

    @property
    def _ec2(self) -> Any:
        return self._clients.of("ec2")

    def _state(self, instance_id: str) -> str:
        try:
            reservations = self._ec2.describe_instances(InstanceIds=[instance_id])["Reservations"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "InvalidInstanceID.NotFound":
                return "unknown"
            raise ComputeFailed(f"instance {instance_id} cannot be described: {error}") from error
        return str(reservations[0]["Instances"][0]["State"]["Name"]) if reservations else "unknown"

    def _parameter(self, name: str) -> str:
        plain = "/" + name.split(":parameter/", 1)[1] if name.startswith("arn:") else name
        try:
            return str(self._clients.of("ssm").get_parameter(Name=plain)["Parameter"]["Value"])
        except (BotoCoreError, ClientError) as error:
            raise ComputeFailed(f"the parameter {plain} cannot be read: {error}") from error


def _capitalised(values: Mapping[str, Any]) -> Record:
    """Image Builder's member names as EC2 spells them."""
    return {
        name[0].upper() + name[1:]: _capitalised(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
    }
