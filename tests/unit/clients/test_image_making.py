"""Images are made whole, encrypted and marked; shared with named accounts alone, and removed with their snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from clients.aws.image_making import ImageMaking
from contracts.errors import CloudError

TAGS = {"rampart:bake": "b1"}
MARKED = [{"Key": "rampart:bake", "Value": "b1"}]
BY_TAG = [{"Name": "tag:rampart:bake", "Values": ["b1"]}]
MARKED_FROM_THE_BEGINNING = [{"ResourceType": kind, "Tags": MARKED} for kind in ("image", "snapshot")]
KEY = "arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


class StubbedSession:
    """A session whose EC2 client answers what a test told it; botocore's model checks what it was asked."""

    def __init__(self) -> None:
        self.ec2 = boto3.client(
            "ec2", region_name="eu-west-3", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        self.stub = Stubber(self.ec2)

    def client(self, service: str, **_: Any) -> Any:
        assert service == "ec2"
        return self.ec2


@pytest.fixture
def session() -> Iterator[StubbedSession]:
    made = StubbedSession()
    with made.stub:
        yield made
        made.stub.assert_no_pending_responses()


def described(image_id: str, *snapshot_ids: str) -> dict[str, Any]:
    volumes = [{"Ebs": {"SnapshotId": snapshot_id, "Encrypted": True}} for snapshot_id in snapshot_ids]
    image = {"ImageId": image_id, "Name": "iris", "CreationDate": "2026-11-20T10:00:00.000Z", "State": "available"}
    return {"Images": [{**image, "BlockDeviceMappings": volumes}]}


def test_an_image_is_made_of_a_machine_at_rest_and_marked_from_its_beginning(session: StubbedSession) -> None:
    asked = {"InstanceId": "i-1", "Name": "iris 1", "Description": "made for iris", "NoReboot": False}
    asked["TagSpecifications"] = MARKED_FROM_THE_BEGINNING
    session.stub.add_response("create_image", {"ImageId": "ami-1"}, asked)
    assert ImageMaking(session).create("i-1", name="iris 1", description="made for iris", tags=TAGS) == "ami-1"


@pytest.mark.parametrize(("key", "more"), [("", {}), (KEY, {"KmsKeyId": KEY})])
def test_a_copy_is_encrypted_with_the_key_that_is_asked_for(
    session: StubbedSession, key: str, more: dict[str, str]
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
    session.stub.add_response("copy_image", {"ImageId": "ami-2"}, asked)
    made = ImageMaking(session).copy_encrypted(
        "ami-1", name="iris 2", description="made for iris", tags=TAGS, kms_key=key
    )
    assert made == "ami-2"


def test_a_tag_is_set_on_the_image_and_on_its_snapshots(session: StubbedSession) -> None:
    session.stub.add_response("describe_images", described("ami-1", "snap-1", "snap-2"))
    session.stub.add_response("create_tags", {}, {"Resources": ["ami-1", "snap-1", "snap-2"], "Tags": MARKED})
    ImageMaking(session).tag("ami-1", TAGS)


def test_an_image_is_shared_with_accounts_by_their_ids(session: StubbedSession) -> None:
    permission = {"Add": [{"UserId": "111122223333"}, {"UserId": "444455556666"}]}
    session.stub.add_response("modify_image_attribute", {}, {"ImageId": "ami-1", "LaunchPermission": permission})
    ImageMaking(session).share("ami-1", ("111122223333", "444455556666"))


def test_what_is_discarded_goes_with_snapshots_that_no_image_names_yet(session: StubbedSession) -> None:
    session.stub.add_response("describe_images", described("ami-1", "snap-1"), {"Owners": ["self"], "Filters": BY_TAG})
    session.stub.add_response("deregister_image", {}, {"ImageId": "ami-1"})
    session.stub.add_response("delete_snapshot", {}, {"SnapshotId": "snap-1"})
    listed = {"Snapshots": [{"SnapshotId": "snap-1"}, {"SnapshotId": "snap-2"}]}
    session.stub.add_response("describe_snapshots", listed, {"OwnerIds": ["self"], "Filters": BY_TAG})
    session.stub.add_client_error("delete_snapshot", "InvalidSnapshot.NotFound")
    session.stub.add_response("delete_snapshot", {}, {"SnapshotId": "snap-2"})
    ImageMaking(session).discard(TAGS)


def test_a_refusal_says_what_was_refused(session: StubbedSession) -> None:
    session.stub.add_client_error("create_image", "UnauthorizedOperation", "no")
    with pytest.raises(CloudError, match="make an image of i-1"):
        ImageMaking(session).create("i-1", name="iris", description="", tags=TAGS)
