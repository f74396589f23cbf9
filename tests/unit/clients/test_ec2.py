"""What EC2 is asked is what its service model takes, and what it does not know yet is waited for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.exceptions import UnauthorizedSSOTokenError
from botocore.model import ListShape, Shape, StructureShape
from botocore.stub import Stubber
from botocore.validate import ParamValidator

from clients.aws.ec2 import Ec2
from clients.aws.session import translated
from contracts.errors import CloudError
from contracts.instance import LaunchRequest

INSTANCE = "i-0123456789abcdef0"
REQUEST = LaunchRequest(
    image_id="ami-0123456789abcdef0",
    instance_type="t3.medium",
    client_token="c" * 64,
    tags={"Name": "rampart-iris", "rampart:expires-at": "2026-11-20T12:16:30+00:00"},
    user_data="#cloud-config\n",
    launch_template_id="lt-0123456789abcdef0",
    key_name="iris",
    security_group_id="sg-0123456789abcdef0",
    subnet_id="subnet-0123456789abcdef0",
)


class Stubbed:
    """A session whose EC2 client answers what a test told it, and keeps the launches it was asked for."""

    region_name = "eu-west-3"

    def __init__(self) -> None:
        self.ec2 = boto3.client("ec2", "eu-west-3", aws_access_key_id="testing", aws_secret_access_key="testing")
        self.stub = Stubber(self.ec2)
        self.asked: list[dict[str, Any]] = []
        self.ec2.meta.events.register("provide-client-params.ec2.RunInstances", self._keep)

    def client(self, _service: str, **_: Any) -> Any:
        return self.ec2

    def launches(self) -> None:
        found = {"InstanceId": INSTANCE, "State": {"Name": "pending"}, "LaunchTime": datetime(2026, 11, 20, tzinfo=UTC)}
        self.stub.add_response("run_instances", {"Instances": [found]})

    def _keep(self, params: dict[str, Any], **_: Any) -> None:
        self.asked.append(params)


@pytest.fixture
def session() -> Iterator[Stubbed]:
    made = Stubbed()
    with made.stub:
        yield made
        made.stub.assert_no_pending_responses()


def never(_seconds: float) -> None:
    raise AssertionError("there was nothing to wait for")


def unknown_choices(shape: Shape, value: Any) -> Iterator[str]:
    """Values of no enumeration of the model's: botocore leaves them to the service."""
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from unknown_choices(shape.members[name], member)
    elif isinstance(shape, ListShape):
        for member in value:
            yield from unknown_choices(shape.member, member)
    elif shape.metadata.get("enum") and value not in shape.metadata["enum"]:
        yield str(value)


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST,
        dataclasses.replace(REQUEST, spot=True),
        dataclasses.replace(REQUEST, launch_template_id="", subnet_id=""),
    ],
    ids=["on-demand", "spot", "without-a-stack"],
)
def test_a_launch_is_what_ec2s_model_takes(session: Stubbed, request_: LaunchRequest) -> None:
    session.launches()
    Ec2(session, wait=never).launch(request_)
    shape = session.ec2.meta.service_model.operation_model("RunInstances").input_shape
    assert shape is not None
    (asked,) = session.asked
    assert ParamValidator().validate(asked, shape).generate_report() == ""
    assert list(unknown_choices(shape, asked)) == []
    assert len(asked["ClientToken"]) <= 64
    # EC2 takes groups and subnet beside each other only while no network interface is described
    assert "NetworkInterfaces" not in asked
    assert "IamInstanceProfile" not in asked


def test_a_host_guards_its_metadata_with_or_without_a_template(session: Stubbed) -> None:
    session.launches()
    Ec2(session, wait=never).launch(dataclasses.replace(REQUEST, launch_template_id=""))
    (asked,) = session.asked
    assert asked["MetadataOptions"] == {
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
        "HttpEndpoint": "enabled",
        "InstanceMetadataTags": "disabled",  # an account's own default may be another
    }
    assert asked["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert {each["ResourceType"] for each in asked["TagSpecifications"]} == {"instance", "volume", "network-interface"}


def test_a_fresh_instance_that_ec2_does_not_know_yet_is_terminated_all_the_same(session: Stubbed) -> None:
    waited: list[float] = []
    ec2 = Ec2(session, clock=lambda: float(len(waited)), wait=waited.append)
    session.launches()
    ec2.launch(REQUEST)
    for _ in range(2):
        session.stub.add_client_error("terminate_instances", "InvalidInstanceID.NotFound")
    session.stub.add_response("terminate_instances", {}, {"InstanceIds": [INSTANCE]})
    ec2.terminate([INSTANCE])
    assert len(waited) == 2


def test_an_instance_that_ec2_knows_no_more_has_ended(session: Stubbed) -> None:
    session.stub.add_client_error("terminate_instances", "InvalidInstanceID.NotFound")
    Ec2(session, wait=never).terminate([INSTANCE])


def test_a_fresh_instance_is_not_waited_for_without_end(session: Stubbed) -> None:
    moments = iter(range(0, 100, 40))
    ec2 = Ec2(session, clock=lambda: next(moments), wait=lambda _: None)
    session.launches()
    ec2.launch(REQUEST)
    for _ in range(2):
        session.stub.add_client_error("terminate_instances", "InvalidInstanceID.NotFound")
    ec2.terminate([INSTANCE])


def test_a_name_that_several_security_groups_have_is_refused(session: Stubbed) -> None:
    groups = [{"GroupId": f"sg-{n}", "VpcId": f"vpc-{n}"} for n in (1, 2)]
    session.stub.add_response("describe_security_groups", {"SecurityGroups": groups})
    with pytest.raises(CloudError, match=r"named 'default': sg-1 in vpc-1, sg-2 in vpc-2 \(write the id"):
        Ec2(session, wait=never).security_group_id("default")


def test_a_session_that_ran_out_is_told_how_to_begin_again() -> None:
    with pytest.raises(CloudError) as caught, translated("launch an instance"):
        raise UnauthorizedSSOTokenError
    assert caught.value.hint == "aws sso login"
