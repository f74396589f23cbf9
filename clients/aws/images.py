"""Look at or retire the account's own machine images."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from clients.aws.session import client_of, translated
from contracts.errors import CloudError
from contracts.image import MachineImage
from contracts.survey import BaseImage

_GONE = {"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"}


class Images:
    """The AMIs of one region. Every question says Owners=self: by name alone, anybody's public image would answer."""

    def __init__(self, session: Any) -> None:
        self._client = client_of(session, "ec2")

    def named(self, base_name: str) -> tuple[MachineImage, ...]:
        """Give the own images called `base_name`, alone or with a blank and more after it. Raises CloudError."""
        literal = re.sub(r"([*?\\])", r"\\\1", base_name)
        return self._described(Filters=[{"Name": "name", "Values": [literal, f"{literal} *"]}])

    def tagged(self, tags: Mapping[str, str]) -> tuple[MachineImage, ...]:
        """Give the own images that carry all of `tags`. Raises CloudError."""
        return self._described(Filters=[{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()])

    def by_id(self, image_id: str) -> MachineImage | None:
        """Give one own image, or None where the account has none of that id."""
        try:
            found = self._described(ImageIds=[image_id])
        except CloudError as error:
            if error.code in _GONE or error.code == "InvalidAMIID.Malformed":
                return None
            raise
        return found[0] if found else None

    def shared_with_us(self) -> tuple[tuple[str, MachineImage], ...]:
        """Give the images that accounts let this very one launch, each with its owner's id. Raises CloudError.

        Whoever shares one chooses its name and tags: they are to be shown, never to be chosen from.
        """
        with translated("list the machine images shared with this account"):
            pages = self._client.get_paginator("describe_images").paginate(ExecutableUsers=["self"])
            found = [image for page in pages for image in page["Images"]]
        return tuple((image["OwnerId"], _image(image)) for image in found)

    def public_snapshots(self, snapshot_ids: Iterable[str]) -> tuple[str, ...]:
        """Give those of the own snapshots that anybody may read; one that is gone is nobody's. Raises CloudError."""
        return tuple(one for one in snapshot_ids if {"Group": "all"} in self._readers(one))

    def launchers(self, image_id: str) -> tuple[str, ...]:
        """Tell who else may launch an own image: ids of accounts, ARNs, or `all`. Raises CloudError."""
        with translated(f"look up who may launch {image_id}"):
            answer = self._client.describe_image_attribute(ImageId=image_id, Attribute="launchPermission")
        return tuple(sorted(value for one in answer.get("LaunchPermissions", []) for value in one.values()))

    def tag(self, image_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of an own image and of its snapshots. Raises CloudError."""
        image = self.by_id(image_id)
        resources = [image_id, *(image.snapshot_ids if image else ())]
        with translated(f"tag the image {image_id}"):
            self._client.create_tags(Resources=resources, Tags=tag_list(tags))

    def untag(self, image_id: str, names: Iterable[str]) -> None:
        """Take tags off an own image; those it does not have are passed over. Raises CloudError."""
        with translated(f"take tags off {image_id}"):
            self._client.delete_tags(Resources=[image_id], Tags=[{"Key": name} for name in names])

    def deregister(self, image: MachineImage) -> None:
        """Remove an image with its snapshots; what is gone already counts as removed."""
        self._unless_gone("deregister the image", lambda: self._client.deregister_image(ImageId=image.image_id))
        for snapshot_id in image.snapshot_ids:
            self._unless_gone("delete a snapshot", self._deletion_of(snapshot_id))

    def _readers(self, snapshot_id: str) -> list[Mapping[str, str]]:
        try:
            with translated(f"look up who may read {snapshot_id}"):
                answer = self._client.describe_snapshot_attribute(
                    SnapshotId=snapshot_id, Attribute="createVolumePermission"
                )
        except CloudError as error:
            if error.code == "InvalidSnapshot.NotFound":
                return []
            raise
        return list(answer.get("CreateVolumePermissions", []))

    def _deletion_of(self, snapshot_id: str) -> Any:
        return lambda: self._client.delete_snapshot(SnapshotId=snapshot_id)

    def _unless_gone(self, doing: str, call: Any) -> None:
        try:
            with translated(doing):
                call()
        except CloudError as error:
            if error.code not in {*_GONE, "InvalidSnapshot.NotFound"}:
                raise

    def _described(self, **query: Any) -> tuple[MachineImage, ...]:
        with translated("list the machine images"):
            pages = self._client.get_paginator("describe_images").paginate(Owners=["self"], **query)
            return tuple(_image(found) for page in pages for found in page["Images"])


def _image(found: Mapping[str, Any]) -> MachineImage:
    deprecated = found.get("DeprecationTime")
    volumes = [device.get("Ebs", {}) for device in found.get("BlockDeviceMappings", [])]
    return MachineImage(
        image_id=found["ImageId"],
        name=found.get("Name", ""),
        created_at=datetime.fromisoformat(found["CreationDate"]),
        state=found.get("State", ""),
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
        deprecated_at=datetime.fromisoformat(deprecated) if deprecated else None,
        snapshot_ids=tuple(volume["SnapshotId"] for volume in volumes if "SnapshotId" in volume),
        is_public=found.get("Public", False),
        is_encrypted=all(volume.get("Encrypted", False) for volume in volumes if "SnapshotId" in volume),
    )


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Give tags as EC2 takes them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def base_image(session: Any, image_id: str) -> BaseImage | None:
    """Give the image of exactly that id, whoever's it is; None where there is none that we may use.

    What a machine is made from is mostly not our own. The id is written by hand or published by its maker, so that no
    stranger can answer for it, as he could for a name. Raises CloudError.
    """
    try:
        with translated(f"look up the image {image_id}"):
            found = client_of(session, "ec2").describe_images(ImageIds=[image_id])["Images"]
    except CloudError as error:
        if error.code in _GONE or error.code == "InvalidAMIID.Malformed":
            return None
        raise
    return _base_image(found[0]) if found else None


def _base_image(found: Mapping[str, Any]) -> BaseImage:
    root = found.get("RootDeviceName")
    volumes = [
        device.get("Ebs", {}) for device in found.get("BlockDeviceMappings", []) if device.get("DeviceName") == root
    ]
    return BaseImage(
        image_id=found["ImageId"],
        name=found.get("Name", ""),
        architecture=found.get("Architecture", ""),
        state=found.get("State", ""),
        root_gib=next((volume.get("VolumeSize", 0) for volume in volumes), 0),
    )
