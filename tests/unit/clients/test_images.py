"""Questions about machine images ask for the account's own, page by page."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import clients
from clients.aws.images import Images, base_image
from contracts.errors import CloudError
from contracts.image import MachineImage
from contracts.survey import BaseImage
from tests.unit.clients.conftest import Ec2Session


def described(image_id: str, **more: Any) -> dict[str, Any]:
    return {
        "ImageId": image_id,
        "Name": "iris",
        "CreationDate": "2026-11-20T10:00:00.000Z",
        "State": "available",
        **more,
    }


def test_images_are_asked_by_name_of_the_own_account_alone_over_all_pages(ec2_session: Ec2Session) -> None:
    filters = [{"Name": "name", "Values": [r"a\*b\?", r"a\*b\? *"]}]
    question = {"Owners": ["self"], "Filters": filters}
    ec2_session.stub.add_response("describe_images", {"Images": [described("ami-1")], "NextToken": "t"}, question)
    ec2_session.stub.add_response("describe_images", {"Images": [described("ami-2")]}, {**question, "NextToken": "t"})
    assert [image.image_id for image in Images(ec2_session).named("a*b?")] == ["ami-1", "ami-2"]


def test_an_image_is_read_with_its_tags_dates_and_snapshots(ec2_session: Ec2Session) -> None:
    answer = described(
        "ami-1",
        Tags=[{"Key": "rampart:event", "Value": "iris"}],
        DeprecationTime="2027-01-01T00:00:00.000Z",
        BlockDeviceMappings=[{"Ebs": {"SnapshotId": "snap-1"}}, {"VirtualName": "ephemeral0"}],
    )
    query = {"Owners": ["self"], "Filters": [{"Name": "tag:rampart:event", "Values": ["iris"]}]}
    ec2_session.stub.add_response("describe_images", {"Images": [answer]}, query)
    assert Images(ec2_session).tagged({"rampart:event": "iris"}) == (
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


def test_an_id_the_account_does_not_own_is_no_image(ec2_session: Ec2Session) -> None:
    ec2_session.stub.add_client_error("describe_images", "InvalidAMIID.NotFound")
    assert Images(ec2_session).by_id("ami-1") is None


def test_other_refusals_are_told(ec2_session: Ec2Session) -> None:
    ec2_session.stub.add_client_error("describe_images", "UnauthorizedOperation", "no")
    with pytest.raises(CloudError, match="list the machine images"):
        Images(ec2_session).by_id("ami-1")


def test_removing_an_image_removes_its_snapshots_too_and_twice_is_fine(ec2_session: Ec2Session) -> None:
    image = MachineImage("ami-1", "iris", datetime(2026, 1, 1, tzinfo=UTC), "available", snapshot_ids=("snap-1",))
    ec2_session.stub.add_response("deregister_image", {}, {"ImageId": "ami-1"})
    ec2_session.stub.add_response("delete_snapshot", {}, {"SnapshotId": "snap-1"})
    ec2_session.stub.add_client_error("deregister_image", "InvalidAMIID.Unavailable")
    ec2_session.stub.add_client_error("delete_snapshot", "InvalidSnapshot.NotFound")
    Images(ec2_session).deregister(image)
    Images(ec2_session).deregister(image)


def test_what_machines_are_made_from_is_asked_by_its_id_whoever_made_it(ec2_session: Ec2Session) -> None:
    disks = [
        {"DeviceName": "/dev/sdb", "Ebs": {"VolumeSize": 1}},
        {"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8}},
    ]
    answer = described("ami-1", Architecture="arm64", RootDeviceName="/dev/sda1", BlockDeviceMappings=disks)
    ec2_session.stub.add_response("describe_images", {"Images": [answer]}, {"ImageIds": ["ami-1"]})
    assert base_image(ec2_session, "ami-1") == BaseImage("ami-1", "iris", "arm64", "available", 8)


@pytest.mark.parametrize("code", ["InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable"])
def test_an_id_of_no_image_is_no_image(ec2_session: Ec2Session, code: str) -> None:
    ec2_session.stub.add_client_error("describe_images", code)
    assert base_image(ec2_session, "ami-1") is None


def test_an_image_that_anybody_may_launch_is_read_as_such(ec2_session: Ec2Session) -> None:
    ec2_session.stub.add_response("describe_images", {"Images": [described("ami-1", Public=True)]})
    (image,) = Images(ec2_session).tagged({"rampart:event": "iris"})
    assert image.is_public


def test_what_others_share_with_this_account_is_told_with_its_owner(ec2_session: Ec2Session) -> None:
    answer = {"Images": [described("ami-1", OwnerId="111122223333")]}
    ec2_session.stub.add_response("describe_images", answer, {"ExecutableUsers": ["self"]})
    ((owner, image),) = Images(ec2_session).shared_with_us()
    assert (owner, image.image_id, image.name) == ("111122223333", "ami-1", "iris")


def test_of_snapshots_those_that_anybody_may_read_are_told_and_one_that_is_gone_is_nobodys(
    ec2_session: Ec2Session,
) -> None:
    readers = {"snap-1": [{"UserId": "111122223333"}], "snap-2": [{"Group": "all"}]}
    for one, permissions in readers.items():
        query = {"SnapshotId": one, "Attribute": "createVolumePermission"}
        ec2_session.stub.add_response("describe_snapshot_attribute", {"CreateVolumePermissions": permissions}, query)
    ec2_session.stub.add_client_error("describe_snapshot_attribute", "InvalidSnapshot.NotFound")
    assert Images(ec2_session).public_snapshots(["snap-1", "snap-2", "snap-3"]) == ("snap-2",)


def test_those_who_may_launch_an_image_are_told_whatever_names_them(ec2_session: Ec2Session) -> None:
    permissions = [{"UserId": "111122223333"}, {"Group": "all"}, {"OrganizationArn": "arn:aws:organizations::1:o"}]
    query = {"ImageId": "ami-1", "Attribute": "launchPermission"}
    ec2_session.stub.add_response("describe_image_attribute", {"LaunchPermissions": permissions}, query)
    assert Images(ec2_session).launchers("ami-1") == ("111122223333", "all", "arn:aws:organizations::1:o")


def test_tags_are_taken_off_by_their_names(ec2_session: Ec2Session) -> None:
    query = {"Resources": ["ami-1"], "Tags": [{"Key": "rampart:keep"}, {"Key": "rampart:pinned-by"}]}
    ec2_session.stub.add_response("delete_tags", {}, query)
    Images(ec2_session).untag("ami-1", ("rampart:keep", "rampart:pinned-by"))


def test_no_other_file_of_the_product_lists_images() -> None:
    asking = {
        path.name
        for path, node in _nodes()
        if isinstance(node, ast.Constant | ast.Attribute)
        and "describe_images" in {getattr(node, "attr", None), getattr(node, "value", None)}
    }
    assert asking == {"images.py"}


def test_no_question_for_images_by_name_or_tag_leaves_open_whose_they_are() -> None:
    calls = [
        {keyword.arg for keyword in node.keywords}
        for path, node in _nodes()
        if path.name == "images.py" and isinstance(node, ast.Call) and "describe_images" in ast.unparse(node.func)
    ]
    asked = [call for call in calls if call]  # get_paginator("describe_images") is no question yet
    assert len(asked) == 3
    assert all(call & {"Owners", "ImageIds", "ExecutableUsers"} for call in asked)
    assert not any("Filters" in call for call in asked if "Owners" not in call)


def _nodes() -> Iterator[tuple[Path, ast.AST]]:
    root = Path(clients.__file__).parents[1]
    for package in ("clients", "imagebuilder", "infra", "runner", "tasks"):
        for path in (root / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                yield path, node
