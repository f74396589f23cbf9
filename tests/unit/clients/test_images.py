"""Questions about machine images ask for the account's own, page by page."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

import clients
from clients.aws.images import Images, base_image
from contracts.errors import CloudError
from contracts.image import MachineImage
from contracts.survey import BaseImage


class StubbedSession:
    """A session whose EC2 client answers what a test told it, and checks what it was asked."""

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


def described(image_id: str, **more: Any) -> dict[str, Any]:
    return {
        "ImageId": image_id,
        "Name": "iris",
        "CreationDate": "2026-11-20T10:00:00.000Z",
        "State": "available",
        **more,
    }


def test_images_are_asked_by_name_of_the_own_account_alone_over_all_pages(session: StubbedSession) -> None:
    filters = [{"Name": "name", "Values": [r"a\*b\?", r"a\*b\? *"]}]
    question = {"Owners": ["self"], "Filters": filters}
    session.stub.add_response("describe_images", {"Images": [described("ami-1")], "NextToken": "t"}, question)
    session.stub.add_response("describe_images", {"Images": [described("ami-2")]}, {**question, "NextToken": "t"})
    assert [image.image_id for image in Images(session).named("a*b?")] == ["ami-1", "ami-2"]


def test_an_image_is_read_with_its_tags_dates_and_snapshots(session: StubbedSession) -> None:
    answer = described(
        "ami-1",
        Tags=[{"Key": "rampart:event", "Value": "iris"}],
        DeprecationTime="2027-01-01T00:00:00.000Z",
        BlockDeviceMappings=[{"Ebs": {"SnapshotId": "snap-1"}}, {"VirtualName": "ephemeral0"}],
    )
    query = {"Owners": ["self"], "Filters": [{"Name": "tag:rampart:event", "Values": ["iris"]}]}
    session.stub.add_response("describe_images", {"Images": [answer]}, query)
    assert Images(session).tagged({"rampart:event": "iris"}) == (
        MachineImage(
            "ami-1",
            "iris",
            datetime(2026, 11, 20, 10, tzinfo=UTC),
            "available",
            {"rampart:event": "iris"},
            datetime(2027, 1, 1, tzinfo=UTC),
            ("snap-1",),
        ),
    )


def test_an_id_the_account_does_not_own_is_no_image(session: StubbedSession) -> None:
    session.stub.add_client_error("describe_images", "InvalidAMIID.NotFound")
    assert Images(session).by_id("ami-1") is None


def test_other_refusals_are_told(session: StubbedSession) -> None:
    session.stub.add_client_error("describe_images", "UnauthorizedOperation", "no")
    with pytest.raises(CloudError, match="list the machine images"):
        Images(session).by_id("ami-1")


def test_removing_an_image_removes_its_snapshots_too_and_twice_is_fine(session: StubbedSession) -> None:
    image = MachineImage("ami-1", "iris", datetime(2026, 1, 1, tzinfo=UTC), "available", snapshot_ids=("snap-1",))
    session.stub.add_response("deregister_image", {}, {"ImageId": "ami-1"})
    session.stub.add_response("delete_snapshot", {}, {"SnapshotId": "snap-1"})
    session.stub.add_client_error("deregister_image", "InvalidAMIID.Unavailable")
    session.stub.add_client_error("delete_snapshot", "InvalidSnapshot.NotFound")
    Images(session).deregister(image)
    Images(session).deregister(image)


def test_what_machines_are_made_from_is_asked_by_its_id_whoever_made_it(session: StubbedSession) -> None:
    disks = [
        {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 1}},
        {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8}},
    ]
    answer = described("ami-1", Architecture="arm64", RootDeviceName="/dev/sda1", BlockDeviceMappings=disks)
    session.stub.add_response("describe_images", {"Images": [answer]}, {"ImageIds": ["ami-1"]})
    assert base_image(session, "ami-1") == BaseImage("ami-1", "iris", "arm64", "available", 8)


@pytest.mark.parametrize("code", ["InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable"])
def test_an_id_of_no_image_is_no_image(session: StubbedSession, code: str) -> None:
    session.stub.add_client_error("describe_images", code)
    assert base_image(session, "ami-1") is None


def test_no_other_file_of_the_product_lists_images() -> None:
    root = Path(clients.__file__).parents[1]
    files = [
        path for package in ("clients", "imagebuilder", "infra", "runner") for path in (root / package).rglob("*.py")
    ]
    asking = [
        path.name
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant | ast.Attribute)
        and "describe_images" in {getattr(node, "attr", None), getattr(node, "value", None)}
    ]
    assert set(asking) == {"images.py"}
