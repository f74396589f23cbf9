"""Images are made whole, encrypted and marked; shared with named accounts alone, and removed with their snapshots."""

from __future__ import annotations

from typing import Any

import pytest

from clients.aws.image_making import ImageMaking
from contracts.errors import CloudError
from tests.unit.clients.conftest import Ec2Session

TAGS = {"rampart:bake": "b1"}
MARKED = [{"Key": "rampart:bake", "Value": "b1"}]
BY_TAG = [{"Name": "tag:rampart:bake", "Values": ["b1"]}]
MARKED_FROM_THE_BEGINNING = [{"ResourceType": kind, "Tags": MARKED} for kind in ("image", "snapshot")]
KEY = "arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def described(image_id: str, *snapshot_ids: str) -> dict[str, Any]:
    volumes = [{"Ebs": {"SnapshotId": snapshot_id, "Encrypted": True}} for snapshot_id in snapshot_ids]
    image = {"ImageId": image_id, "Name": "iris", "CreationDate": "2026-11-20T10:00:00.000Z", "State": "available"}
    return {"Images": [{**image, "BlockDeviceMappings": volumes}]}


def test_an_image_is_made_of_a_machine_at_rest_and_marked_from_its_beginning(ec2_session: Ec2Session) -> None:
    asked = {"InstanceId": "i-1", "Name": "iris 1", "Description": "made for iris", "NoReboot": False}
    asked["TagSpecifications"] = MARKED_FROM_THE_BEGINNING
    ec2_session.stub.add_response("create_image", {"ImageId": "ami-1"}, asked)
    assert ImageMaking(ec2_session).create("i-1", name="iris 1", description="made for iris", tags=TAGS) == "ami-1"


@pytest.mark.parametrize(("key", "more"), [("", {}), (KEY, {"KmsKeyId": KEY})])
def test_a_copy_is_encrypted_with_the_key_that_is_asked_for(
    ec2_session: Ec2Session, key: str, more: dict[str, str]
) -> None:
    asked = {
        "SourceImageId": "ami-1",
        "SourceRegion": "eu-west-3",
        "Name": "iris 2",
        "Description": "made for iris",
        "Encrypted": True,
        "TagSpecifications": MARKED_FROM_THE_BEGINNING,
        **more,
    }
    ec2_session.stub.add_response("copy_image", {"ImageId": "ami-2"}, asked)
    made = ImageMaking(ec2_session).copy_encrypted(
        "ami-1", name="iris 2", description="made for iris", tags=TAGS, kms_key=key
    )
    assert made == "ami-2"


def test_a_tag_is_set_on_the_image_and_on_its_snapshots(ec2_session: Ec2Session) -> None:
    ec2_session.stub.add_response("describe_images", described("ami-1", "snap-1", "snap-2"))
    ec2_session.stub.add_response("create_tags", {}, {"Resources": ["ami-1", "snap-1", "snap-2"], "Tags": MARKED})
    ImageMaking(ec2_session).tag("ami-1", TAGS)


def test_an_image_is_shared_with_accounts_by_their_ids(ec2_session: Ec2Session) -> None:
    permission = {"Add": [{"UserId": "111122223333"}, {"UserId": "444455556666"}]}
    ec2_session.stub.add_response("modify_image_attribute", {}, {"ImageId": "ami-1", "LaunchPermission": permission})
    ImageMaking(ec2_session).share("ami-1", ("111122223333", "444455556666"))


def test_what_is_discarded_goes_with_snapshots_that_no_image_names_yet(ec2_session: Ec2Session) -> None:
    ec2_session.stub.add_response(
        "describe_images", described("ami-1", "snap-1"), {"Owners": ["self"], "Filters": BY_TAG}
    )
    ec2_session.stub.add_response("deregister_image", {}, {"ImageId": "ami-1"})
    ec2_session.stub.add_response("delete_snapshot", {}, {"SnapshotId": "snap-1"})
    listed = {"Snapshots": [{"SnapshotId": "snap-1"}, {"SnapshotId": "snap-2"}]}
    ec2_session.stub.add_response("describe_snapshots", listed, {"OwnerIds": ["self"], "Filters": BY_TAG})
    ec2_session.stub.add_client_error("delete_snapshot", "InvalidSnapshot.NotFound")
    ec2_session.stub.add_response("delete_snapshot", {}, {"SnapshotId": "snap-2"})
    ImageMaking(ec2_session).discard(TAGS)


def test_a_refusal_says_what_was_refused(ec2_session: Ec2Session) -> None:
    ec2_session.stub.add_client_error("create_image", "UnauthorizedOperation", "no")
    with pytest.raises(CloudError, match="make an image of i-1"):
        ImageMaking(ec2_session).create("i-1", name="iris", description="", tags=TAGS)
