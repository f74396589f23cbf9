"""Fleets that stand are kept up, grow and shrink, and end when they are to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from localcloud.injections import NoCapacity
from tests.integration.clouds import KEY_NAME, Cloud


@pytest.fixture(scope="module")
def template_id(cloud: Cloud) -> Iterator[str]:
    ec2 = cloud.client("ec2")
    tags = [{"Key": "rampart:event", "Value": "standing"}]
    made = ec2.create_launch_template(
        LaunchTemplateName="standing",
        LaunchTemplateData={
            "ImageId": cloud.image(),
            "KeyName": KEY_NAME,
            "TagSpecifications": [{"ResourceType": "instance", "Tags": tags}],
        },
    )["LaunchTemplate"]["LaunchTemplateId"]
    yield made
    ec2.delete_launch_template(LaunchTemplateId=made)


@pytest.fixture
def fleet_of(cloud: Cloud, template_id: str) -> Iterator[Callable[..., str]]:
    """Create a maintained fleet with these overrides; it ends with the test."""
    ec2, made = cloud.client("ec2"), []

    def create(target: int, *overrides: dict[str, Any], market: str = "spot", **parameters: Any) -> str:
        specification = {"LaunchTemplateId": template_id, "Version": "$Latest"}
        capacity = {"TotalTargetCapacity": target, "DefaultTargetCapacityType": market, **parameters.pop("also", {})}
        answer = ec2.create_fleet(
            Type="maintain",
            TargetCapacitySpecification=capacity,
            LaunchTemplateConfigs=[{"LaunchTemplateSpecification": specification, "Overrides": list(overrides)}],
            **parameters,
        )
        made.append(answer["FleetId"])
        assert answer.get("Instances", []) == []
        return str(answer["FleetId"])

    yield create
    ec2.delete_fleets(FleetIds=made, TerminateInstances=True)


SMALL = {"InstanceType": "t3.small"}


def members(cloud: Cloud, fleet_id: str) -> list[str]:
    found = cloud.client("ec2").describe_fleet_instances(FleetId=fleet_id)["ActiveInstances"]
    return [each["InstanceId"] for each in found]


def described(cloud: Cloud, fleet_id: str) -> dict[str, Any]:
    [fleet] = cloud.client("ec2").describe_fleets(FleetIds=[fleet_id])["Fleets"]
    return dict(fleet)


def wait(is_so: Callable[[], bool]) -> None:
    """Ask again and again; the API has no other way to wait."""
    pause = threading.Event()
    for _ in range(600):
        if is_so():
            return
        pause.wait(0.05)
    raise AssertionError("it did not become so within 30 s")


def test_a_fleet_of_none_waits_until_it_is_asked_for_some_and_gives_them_back(
    cloud: Cloud, fleet_of: Callable[..., str]
) -> None:
    ec2 = cloud.client("ec2")
    fleet_id = fleet_of(0, SMALL)
    assert members(cloud, fleet_id) == []

    ec2.modify_fleet(FleetId=fleet_id, TargetCapacitySpecification={"TotalTargetCapacity": 2})

    assert len(members(cloud, fleet_id)) == 2
    fleet = described(cloud, fleet_id)
    assert (fleet["FulfilledCapacity"], fleet["FleetState"], fleet["Type"]) == (2.0, "active", "maintain")
    [one, other] = [cloud.describe(each) for each in members(cloud, fleet_id)]
    assert one["InstanceLifecycle"] == other["InstanceLifecycle"] == "spot"
    assert {tag["Key"]: tag["Value"] for tag in one["Tags"]}["rampart:event"] == "standing"
    assert cloud.ssh(other["PublicIpAddress"], "true").returncode == 0
    ec2.modify_fleet(FleetId=fleet_id, TargetCapacitySpecification={"TotalTargetCapacity": 1})
    assert members(cloud, fleet_id) == [one["InstanceId"]]
    ec2.modify_fleet(
        FleetId=fleet_id,
        TargetCapacitySpecification={"TotalTargetCapacity": 0},
        ExcessCapacityTerminationPolicy="no-termination",
    )
    assert members(cloud, fleet_id) == [one["InstanceId"]]


def test_what_dies_in_a_fleet_is_replaced_and_nothing_more(cloud: Cloud, fleet_of: Callable[..., str]) -> None:
    fleet_id = fleet_of(2, SMALL, {"InstanceType": "t3.medium"}, market="on-demand")
    kept, lost = members(cloud, fleet_id)

    cloud.local.lose(lost)

    wait(lambda: len(members(cloud, fleet_id)) == 2)
    assert kept in members(cloud, fleet_id)
    assert lost not in members(cloud, fleet_id)
    assert described(cloud, fleet_id)["FulfilledOnDemandCapacity"] == 2.0


def test_part_of_a_fleet_may_be_on_demand_and_machines_may_weigh(cloud: Cloud, fleet_of: Callable[..., str]) -> None:
    fleet_id = fleet_of(4, {**SMALL, "WeightedCapacity": 2.0}, also={"OnDemandTargetCapacity": 2})

    lifecycles = [cloud.describe(each).get("InstanceLifecycle", "on-demand") for each in members(cloud, fleet_id)]

    assert sorted(lifecycles) == ["on-demand", "spot"]


def test_a_pool_without_room_is_tried_again(cloud: Cloud, fleet_of: Callable[..., str]) -> None:
    injection = cloud.local.inject(NoCapacity(instance_type="t3.small"))
    fleet_id = fleet_of(1, SMALL)
    assert members(cloud, fleet_id) == []

    cloud.local.undo(injection)

    wait(lambda: len(members(cloud, fleet_id)) == 1)


def test_requirements_choose_the_smallest_type_that_meets_them(cloud: Cloud, fleet_of: Callable[..., str]) -> None:
    requirements = {"VCpuCount": {"Min": 4, "Max": 8}, "MemoryMiB": {"Min": 16384}, "BurstablePerformance": "excluded"}
    fleet_id = fleet_of(1, {"InstanceRequirements": requirements})

    [member] = members(cloud, fleet_id)

    name = cloud.describe(member)["InstanceType"]
    assert not name.startswith("t")
    [known] = cloud.client("ec2").describe_instance_types(InstanceTypes=[name])["InstanceTypes"]
    assert (known["VCpuInfo"]["DefaultVCpus"], known["MemoryInfo"]["SizeInMiB"]) == (4, 16384)


def test_requirements_that_nothing_meets_are_refused(cloud: Cloud, fleet_of: Callable[..., str]) -> None:
    with pytest.raises(ClientError, match="No instance type of eu-west-3 meets"):
        fleet_of(0, {"InstanceRequirements": {"VCpuCount": {"Min": 5000}, "MemoryMiB": {"Min": 1}}})


def test_a_fleet_ends_at_its_time_with_its_machines(cloud: Cloud, fleet_of: Callable[..., str]) -> None:
    end = datetime.now(UTC) + timedelta(seconds=1)
    fleet_id = fleet_of(1, SMALL, ValidUntil=end, TerminateInstancesWithExpiration=True)
    assert described(cloud, fleet_id)["ValidUntil"].replace(microsecond=0) == end.replace(microsecond=0)

    wait(lambda: members(cloud, fleet_id) == [])

    assert described(cloud, fleet_id)["FulfilledCapacity"] == 0.0


def test_a_deleted_fleet_replaces_nothing_and_is_not_changed_any_more(
    cloud: Cloud, fleet_of: Callable[..., str]
) -> None:
    ec2 = cloud.client("ec2")
    fleet_id = fleet_of(1, SMALL)
    [member] = members(cloud, fleet_id)

    ec2.delete_fleets(FleetIds=[fleet_id], TerminateInstances=False)

    assert described(cloud, fleet_id)["FleetState"] == "deleted_running"
    cloud.terminate(member)
    assert members(cloud, fleet_id) == []
    with pytest.raises(ClientError, match="cannot be modified"):
        ec2.modify_fleet(FleetId=fleet_id, TargetCapacitySpecification={"TotalTargetCapacity": 1})
    [unknown] = ec2.delete_fleets(FleetIds=["fleet-0"], TerminateInstances=True)["UnsuccessfulFleetDeletions"]
    assert unknown["Error"]["Code"] == "fleetIdDoesNotExist"


def test_a_spot_fleet_request_is_filled_changed_and_cancelled(cloud: Cloud, template_id: str) -> None:
    ec2 = cloud.client("ec2")
    config = {
        "IamFleetRole": "arn:aws:iam::123456789012:role/spot-fleet",
        "AllocationStrategy": "priceCapacityOptimized",
        "TargetCapacity": 2,
        "OnDemandTargetCapacity": 1,
        "Type": "maintain",
        "TagSpecifications": [{"ResourceType": "spot-fleet-request", "Tags": [{"Key": "a", "Value": "b"}]}],
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": {"LaunchTemplateId": template_id, "Version": "1"},
                "Overrides": [{"InstanceType": "t3.small"}],
            }
        ],
    }
    identity = ec2.request_spot_fleet(SpotFleetRequestConfig=config)["SpotFleetRequestId"]

    def active() -> list[str]:
        found = ec2.describe_spot_fleet_instances(SpotFleetRequestId=identity)["ActiveInstances"]
        return [each["InstanceId"] for each in found]

    def shown() -> dict[str, Any]:
        found = ec2.describe_spot_fleet_requests(SpotFleetRequestIds=[identity])["SpotFleetRequestConfigs"]
        [request] = found
        return dict(request)

    lifecycles = [cloud.describe(each).get("InstanceLifecycle", "on-demand") for each in active()]
    assert sorted(lifecycles) == ["on-demand", "spot"]
    assert (shown()["SpotFleetRequestState"], shown()["ActivityStatus"]) == ("active", "fulfilled")
    assert shown()["Tags"] == [{"Key": "a", "Value": "b"}]
    assert shown()["SpotFleetRequestConfig"]["FulfilledCapacity"] == 2.0
    ec2.modify_spot_fleet_request(SpotFleetRequestId=identity, TargetCapacity=1)
    [left] = active()
    assert "InstanceLifecycle" not in cloud.describe(left)
    answer = ec2.cancel_spot_fleet_requests(SpotFleetRequestIds=[identity, "sfr-0"], TerminateInstances=True)
    assert [each["SpotFleetRequestId"] for each in answer["SuccessfulFleetRequests"]] == [identity]
    assert answer["UnsuccessfulFleetRequests"][0]["Error"]["Code"] == "fleetRequestIdDoesNotExist"
    assert (active(), shown()["SpotFleetRequestState"]) == ([], "cancelled")
    with pytest.raises(ClientError, match="is cancelled"):
        ec2.modify_spot_fleet_request(SpotFleetRequestId=identity, TargetCapacity=2)


def test_a_spot_fleet_request_of_the_older_form_stays_as_it_was(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    config = {
        "IamFleetRole": "arn:aws:iam::123456789012:role/spot-fleet",
        "AllocationStrategy": "lowestPrice",
        "SpotPrice": "0.1",
        "TargetCapacity": 1,
        "LaunchSpecifications": [{"ImageId": cloud.image(), "InstanceType": "t3.small", "KeyName": KEY_NAME}],
    }
    identity = ec2.request_spot_fleet(SpotFleetRequestConfig=config)["SpotFleetRequestId"]
    [instance] = ec2.describe_spot_fleet_instances(SpotFleetRequestId=identity)["ActiveInstances"]
    assert cloud.describe(instance["InstanceId"])["InstanceLifecycle"] == "spot"
    ec2.cancel_spot_fleet_requests(SpotFleetRequestIds=[identity], TerminateInstances=True)
    assert cloud.describe(instance["InstanceId"])["State"]["Name"] == "terminated"


def test_endpoints_for_tunnels_are_found_by_what_they_are_filtered_by(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    tags = [{"ResourceType": "instance-connect-endpoint", "Tags": [{"Key": "rampart:stack", "Value": "iris"}]}]
    made = ec2.create_instance_connect_endpoint(SubnetId=subnet["SubnetId"], TagSpecifications=tags)
    identity = made["InstanceConnectEndpoint"]["InstanceConnectEndpointId"]

    def found(name: str, value: str) -> list[str]:
        answer = ec2.describe_instance_connect_endpoints(Filters=[{"Name": name, "Values": [value]}])
        return [each["InstanceConnectEndpointId"] for each in answer["InstanceConnectEndpoints"]]

    assert found("tag:rampart:stack", "iris") == [identity]
    assert found("vpc-id", "vpc-0") == found("tag:rampart:stack", "other") == []
    with pytest.raises(ClientError, match="InvalidParameterValue"):
        found("colour", "red")
    ec2.delete_instance_connect_endpoint(InstanceConnectEndpointId=identity)
    with pytest.raises(ClientError, match="NotFound"):
        ec2.describe_instance_connect_endpoints(InstanceConnectEndpointIds=[identity])
