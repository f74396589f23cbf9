"""What EC2 is asked is what its service model takes, and one bad answer spoils no other."""

from __future__ import annotations

import base64
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
from contracts.instance import LaunchRequest, Pool

INSTANCE = "i-0123456789abcdef0"
REQUEST = LaunchRequest(
    image_id="ami-0123456789abcdef0",
    client_token="c" * 64,
    tags={"Name": "rampart-iris", "rampart:launch": "c" * 32, "rampart:expires-at": "2026-11-20T12:16:30+00:00"},
    pools=(Pool("t3.medium", "subnet-0123456789abcdef0"), Pool("t3.large", "subnet-0123456789abcdef1")),
    count=3,
    user_data="#cloud-config\n",
    key_name="iris",
    security_group_id="sg-0123456789abcdef0",
)
FROM_TEMPLATE = dataclasses.replace(REQUEST, launch_template_id="lt-0123456789abcdef0")


class Stubbed:
    """A session whose EC2 client answers what a test told it, and keeps the launches it was asked for."""

    region_name = "eu-west-3"

    def __init__(self) -> None:
        self.ec2 = boto3.client("ec2", "eu-west-3", aws_access_key_id="testing", aws_secret_access_key="testing")
        self.stub = Stubber(self.ec2)
        self.asked: list[dict[str, Any]] = []
        self.ec2.meta.events.register("provide-client-params.ec2", self._keep)

    def client(self, _service: str, **_: Any) -> Any:
        return self.ec2

    def launches(self, *instance_ids: str) -> None:
        found = [{"InstanceId": one} for one in instance_ids or (INSTANCE,)]
        self.stub.add_response("run_instances", {"Instances": found})

    def makes_version(self) -> None:
        self.stub.add_response("create_launch_template_version", {"LaunchTemplateVersion": {"VersionNumber": 7}})

    def removes_version(self) -> None:
        self.stub.add_response("delete_launch_template_versions", {})

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


def takes(session: Stubbed, operation: str, asked: dict[str, Any]) -> None:
    """Hold that EC2's service model takes the parameters, its enumerations included."""
    shape = session.ec2.meta.service_model.operation_model(operation).input_shape
    assert shape is not None
    assert ParamValidator().validate(asked, shape).generate_report() == ""
    assert list(unknown_choices(shape, asked)) == []


@pytest.mark.parametrize(
    "request_",
    [REQUEST, dataclasses.replace(REQUEST, spot=True), dataclasses.replace(REQUEST, pools=(Pool("t3.medium"),))],
    ids=["on-demand", "spot", "without-a-subnet"],
)
def test_a_launch_is_what_ec2s_model_takes(session: Stubbed, request_: LaunchRequest) -> None:
    session.launches()
    Ec2(session, wait=never).launch(request_)
    (asked,) = session.asked
    takes(session, "RunInstances", asked)
    assert (asked["MinCount"], asked["MaxCount"]) == (1, 3)
    assert len(asked["ClientToken"]) <= 64
    # EC2 takes groups and subnet beside each other only while no network interface is described
    assert "NetworkInterfaces" not in asked
    assert "IamInstanceProfile" not in asked


@pytest.mark.parametrize("spot", [False, True])
def test_a_fleet_is_what_ec2s_model_takes_and_its_template_version_is_removed(session: Stubbed, spot: bool) -> None:
    session.makes_version()
    overrides = {"InstanceType": "t3.medium", "SubnetId": "subnet-0123456789abcdef0"}
    quota = "MaxSpotInstanceCountExceeded"
    errors = [
        {"LaunchTemplateAndOverrides": {"Overrides": overrides}, "ErrorCode": "InsufficientInstanceCapacity"},
        {"ErrorCode": quota},
    ]
    answer = {"Instances": [{"InstanceIds": ["i-1"]}, {"InstanceIds": ["i-2"]}], "Errors": errors}
    session.stub.add_response("create_fleet", answer)
    session.removes_version()
    request = dataclasses.replace(FROM_TEMPLATE, spot=spot)
    launched = Ec2(session, wait=never).launch(request)
    version, fleet, removed = session.asked
    takes(session, "CreateLaunchTemplateVersion", version)
    takes(session, "CreateFleet", fleet)
    assert version["LaunchTemplateData"]["UserData"] == base64.b64encode(b"#cloud-config\n").decode()
    (config,) = fleet["LaunchTemplateConfigs"]
    assert config["LaunchTemplateSpecification"]["Version"] == "7"
    assert [each["InstanceType"] for each in config["Overrides"]] == ["t3.medium", "t3.large"]
    assert removed["Versions"] == ["7"]
    assert launched.instance_ids == ("i-1", "i-2")
    first, second = request.pools
    refused = [(one.pool, one.code) for one in launched.refusals]
    assert refused == [(first, "InsufficientInstanceCapacity"), (first, quota), (second, quota)]


def test_a_fleet_that_was_asked_for_before_uses_the_version_made_then(session: Stubbed) -> None:
    versions = [{"VersionNumber": 4, "VersionDescription": FROM_TEMPLATE.client_token}, {"VersionNumber": 3}]
    session.stub.add_response("describe_launch_template_versions", {"LaunchTemplateVersions": versions})
    session.stub.add_response("create_fleet", {"Instances": [{"InstanceIds": ["i-1"]}]})
    session.removes_version()
    assert Ec2(session, wait=never).launch(FROM_TEMPLATE, again=True).instance_ids == ("i-1",)
    assert session.asked[1]["LaunchTemplateConfigs"][0]["LaunchTemplateSpecification"]["Version"] == "4"


def test_instances_of_a_fleet_whose_answer_was_lost_with_its_version_are_found_by_their_tag(session: Stubbed) -> None:
    waited: list[float] = []
    session.stub.add_response("describe_launch_template_versions", {"LaunchTemplateVersions": []})
    session.makes_version()
    session.stub.add_client_error("create_fleet", "IdempotentParameterMismatch")
    session.removes_version()
    session.stub.add_response("describe_instances", {"Reservations": []})
    found = {"InstanceId": INSTANCE, "State": {"Name": "pending"}, "LaunchTime": datetime(2026, 11, 20, tzinfo=UTC)}
    session.stub.add_response("describe_instances", {"Reservations": [{"Instances": [found]}]})
    answer = Ec2(session, wait=waited.append).launch(FROM_TEMPLATE, again=True)
    assert answer.instance_ids == (INSTANCE,)
    assert len(waited) == 1
    assert session.asked[-1]["Filters"] == [{"Name": "tag:rampart:launch", "Values": ["c" * 32]}]


def test_a_fleet_without_an_answer_keeps_its_version_to_be_asked_for_again(session: Stubbed) -> None:
    session.makes_version()
    session.stub.add_client_error("create_fleet", "InternalError")
    with pytest.raises(CloudError) as caught:
        Ec2(session, wait=never).launch(FROM_TEMPLATE)
    assert caught.value.is_uncertain
    assert len(session.asked) == 2


def test_a_fleet_that_is_refused_leaves_no_version_with_a_key_in_it(session: Stubbed) -> None:
    session.makes_version()
    session.stub.add_client_error("create_fleet", "UnauthorizedOperation")
    session.removes_version()
    with pytest.raises(CloudError):
        Ec2(session, wait=never).launch(FROM_TEMPLATE)


def test_a_host_guards_its_metadata_with_or_without_a_template(session: Stubbed) -> None:
    session.launches()
    session.makes_version()
    session.stub.add_response("create_fleet", {})
    session.removes_version()
    ec2 = Ec2(session, wait=never)
    ec2.launch(REQUEST)
    ec2.launch(FROM_TEMPLATE)
    for asked in (session.asked[0], session.asked[1]["LaunchTemplateData"]):
        assert asked["MetadataOptions"] == {
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 1,
            "HttpEndpoint": "enabled",
            "InstanceMetadataTags": "disabled",  # an account's own default may be another
        }
        assert asked["InstanceInitiatedShutdownBehavior"] == "terminate"
        tagged = {each["ResourceType"] for each in asked["TagSpecifications"]}
        assert tagged == {"instance", "volume", "network-interface"}


def test_a_pool_without_a_machine_is_told_and_not_raised(session: Stubbed) -> None:
    session.stub.add_client_error("run_instances", "InsufficientInstanceCapacity")
    answer = Ec2(session, wait=never).launch(REQUEST)
    assert answer.instance_ids == ()
    assert [(one.pool, one.code) for one in answer.refusals] == [(REQUEST.pools[0], "InsufficientInstanceCapacity")]


def test_one_bad_id_in_a_batch_of_50_keeps_none_of_the_others_up(session: Stubbed) -> None:
    ids = [f"i-{number:017x}" for number in range(50)]
    bad = ids[17]
    message = f"The instance ID '{bad}' does not exist"
    session.stub.add_client_error("terminate_instances", "InvalidInstanceID.NotFound", message)
    session.stub.add_response("terminate_instances", {})
    Ec2(session, wait=never).terminate(ids)
    assert session.asked[1]["InstanceIds"] == [one for one in ids if one != bad]


def test_an_id_that_cannot_be_ended_and_is_not_named_is_found_by_halving(session: Stubbed) -> None:
    ids = [f"i-{number:017x}" for number in range(4)]
    for _ in range(3):
        session.stub.add_client_error("terminate_instances", "OperationNotPermitted", "protected")
    for _ in range(2):
        session.stub.add_response("terminate_instances", {})
    with pytest.raises(CloudError, match="protected"):
        Ec2(session, wait=never).terminate(ids)
    assert [asked["InstanceIds"] for asked in session.asked] == [ids, ids[:2], ids[:1], ids[1:2], ids[2:]]


def test_an_instance_that_ec2_does_not_know_is_passed_over(session: Stubbed) -> None:
    session.stub.add_client_error("terminate_instances", "InvalidInstanceID.NotFound")
    Ec2(session, wait=never).terminate([INSTANCE])


def test_only_spot_instances_that_are_marked_are_told_of(session: Stubbed) -> None:
    requests = [
        {"InstanceId": "i-1", "Status": {"Code": "marked-for-termination"}},
        {"InstanceId": "i-2", "Status": {"Code": "fulfilled"}},
    ]
    session.stub.add_response("describe_spot_instance_requests", {"SpotInstanceRequests": requests})
    assert Ec2(session, wait=never).reclaimed(["i-1", "i-2"]) == {"i-1": "marked-for-termination"}


def test_a_name_that_several_security_groups_have_is_refused(session: Stubbed) -> None:
    groups = [{"GroupId": f"sg-{n}", "VpcId": f"vpc-{n}"} for n in (1, 2)]
    session.stub.add_response("describe_security_groups", {"SecurityGroups": groups})
    with pytest.raises(CloudError, match=r"named 'default': sg-1 in vpc-1, sg-2 in vpc-2 \(write the id"):
        Ec2(session, wait=never).security_group_id("default")


def test_a_session_that_ran_out_is_told_how_to_begin_again() -> None:
    with pytest.raises(CloudError) as caught, translated("launch an instance"):
        raise UnauthorizedSSOTokenError
    assert caught.value.hint == "aws sso login"
