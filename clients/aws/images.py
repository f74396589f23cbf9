"""Look at or retire the account's own machine images."""

from __future__ import annotations

import re
from collections.abc import Mapping
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

    def deregister(self, image: MachineImage) -> None:
        """Remove an image with its snapshots; what is gone already counts as removed."""
        self._unless_gone("deregister the image", lambda: self._client.deregister_image(ImageId=image.image_id))
        for snapshot_id in image.snapshot_ids:
            self._unless_gone("delete a snapshot", self._deletion_of(snapshot_id))

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
    )


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
