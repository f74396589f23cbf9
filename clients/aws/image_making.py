"""Make machine images of instances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clients.aws.images import Images, tag_list
from clients.aws.session import translated


class ImageMaking(Images):
    """The AMIs of one region, to be made and marked as well as looked at; every verb may raise CloudError."""

    def create(self, instance_id: str, *, name: str, description: str, tags: Mapping[str, str]) -> str:
        """Begin to make an image of an instance, and give the image's id.

        EC2 shuts the instance down for it, so that its disk is whole, and starts it again. The snapshots are encrypted
        where the instance's volumes are: EC2 takes no other word for it here.
        """
        with translated(f"make an image of {instance_id}"):
            answer = self._client.create_image(
                InstanceId=instance_id,
                Name=name,
                Description=description,
                NoReboot=False,
                TagSpecifications=_tag_specifications(tags),
            )
        return str(answer["ImageId"])

    def copy_encrypted(
        self, image_id: str, *, name: str, description: str, tags: Mapping[str, str], kms_key: str
    ) -> str:
        """Begin to make an encrypted copy of an image in the same region, and give its id.

        An empty `kms_key` is the account's own, with which nobody else can use the image.
        """
        with translated(f"encrypt the image {image_id}"):
            answer = self._client.copy_image(
                SourceImageId=image_id,
                SourceRegion=self._client.meta.region_name,
                Name=name,
                Description=description,
                Encrypted=True,
                TagSpecifications=_tag_specifications(tags),
                **({"KmsKeyId": kms_key} if kms_key else {}),
            )
        return str(answer["ImageId"])

    def share(self, image_id: str, accounts: Sequence[str]) -> None:
        """Let other accounts, by their ids, launch an image; there is no way here to let everybody."""
        permission = {"Add": [{"UserId": account} for account in accounts]}
        with translated(f"share the image {image_id}"):
            self._client.modify_image_attribute(ImageId=image_id, LaunchPermission=permission)

    def discard(self, tags: Mapping[str, str]) -> None:
        """Remove every own image and every snapshot that carries all of `tags`, those of an unfinished image too."""
        for image in self.tagged(tags):
            self.deregister(image)
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        with translated("list the snapshots"):
            pages = self._client.get_paginator("describe_snapshots").paginate(OwnerIds=["self"], Filters=filters)
            snapshots = [found["SnapshotId"] for page in pages for found in page["Snapshots"]]
        for snapshot_id in snapshots:
            self._unless_gone("delete a snapshot", self._deletion_of(snapshot_id))


def _tag_specifications(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": tag_list(tags)} for kind in ("image", "snapshot")]
