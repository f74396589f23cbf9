"""Fleets, launch template versions and spot requests answer as EC2 does."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.clouds import KEY_NAME, Cloud


@pytest.fixture(scope="module")
def template_id(cloud: Cloud) -> Iterator[str]:
    """A launch template whose tags and shutdown behaviour a launch has to take over."""
    ec2 = cloud.client("ec2")
    tags = [{"Key": "rampart:event", "Value": "iris"}]
    made = ec2.create_launch_template(
        LaunchTemplateName="fleets",
        LaunchTemplateData={
            "ImageId": cloud.image(),
            "KeyName": KEY_NAME,
            "InstanceType": "t3.small",
            "InstanceInitiatedShutdownBehavior": "terminate",
            "TagSpecifications": [
                {"ResourceType": kind, "Tags": tags}
                for kind in ("instance", "volume", "network-interface", "spot-instances-request")
            ],
        },
    )["LaunchTemplate"]["LaunchTemplateId"]
    yield made
    ec2.delete_launch_template(LaunchTemplateId=made)


def fleet(template_id: str, *overrides: dict[str, Any], market: str = "spot", **parameters: Any) -> dict[str, Any]:
    """The parameters of an instant fleet of one instance."""
    specification = {"LaunchTemplateId": template_id, "Version": parameters.pop("version", "$Latest")}
    capacity = {"TotalTargetCapacity": parameters.pop("capacity", 1), "DefaultTargetCapacityType": market}
    return {
        "Type": "instant",
        "TargetCapacitySpecification": capacity,
        "LaunchTemplateConfigs": [{"LaunchTemplateSpecification": specification, "Overrides": list(overrides)}],
        **parameters,
    }


def subnets(cloud: Cloud) -> list[str]:
    return sorted(found["SubnetId"] for found in cloud.client("ec2").describe_subnets()["Subnets"])


def tags_of(described: dict[str, Any], key: str = "Tags") -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in described[key]}


def test_a_fleet_launches_spot_instances_with_tags_of_the_call_and_of_the_template(
    cloud: Cloud, template_id: str
) -> None:
    ec2 = cloud.client("ec2")
    subnet = subnets(cloud)[1]
    launch = {"ResourceType": "instance", "Tags": [{"Key": "rampart:launch", "Value": "7"}]}
    made = ec2.create_fleet(
        **fleet(
            template_id,
            {"InstanceType": "t3.medium", "SubnetId": subnet},
            capacity=2,
            SpotOptions={"AllocationStrategy": "price-capacity-optimized"},
            TagSpecifications=[launch],
        )
    )
    assert made["Errors"] == []
    [group] = made["Instances"]
    assert (group["Lifecycle"], group["InstanceType"], len(group["InstanceIds"])) == ("spot", "t3.medium", 2)
    assert group["LaunchTemplateAndOverrides"] == {
        "LaunchTemplateSpecification": {"LaunchTemplateId": template_id, "Version": "1"},
        "Overrides": {"InstanceType": "t3.medium", "SubnetId": subnet},
    }
    for instance_id in group["InstanceIds"]:
        instance = cloud.describe(instance_id)
        assert (instance["SubnetId"], instance["InstanceLifecycle"]) == (subnet, "spot")
        assert tags_of(instance).items() >= {"rampart:launch": "7", "rampart:event": "iris"}.items()
        interface_id = instance["NetworkInterfaces"][0]["NetworkInterfaceId"]
        [interface] = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface_id])["NetworkInterfaces"]
        assert tags_of(interface, "TagSet") == {"rampart:event": "iris"}
        assert cloud.ssh(instance["PublicIpAddress"], "true").returncode == 0
        request = spot_request(cloud, instance)
        assert (request["State"], request["Status"]["Code"]) == ("active", "fulfilled")
        assert request["InstanceId"] == instance_id
        assert tags_of(request) == {"rampart:event": "iris"}
    ec2.delete_fleets(FleetIds=[made["FleetId"]], TerminateInstances=True)
    for instance_id in group["InstanceIds"]:
        assert cloud.describe(instance_id)["State"]["Name"] == "terminated"
    ec2.delete_fleets(FleetIds=[made["FleetId"]], TerminateInstances=True)


def spot_request(cloud: Cloud, instance: dict[str, Any]) -> dict[str, Any]:
    asked = {"SpotInstanceRequestIds": [instance["SpotInstanceRequestId"]]}
    found: dict[str, Any] = cloud.client("ec2").describe_spot_instance_requests(**asked)["SpotInstanceRequests"][0]
    return found


def test_a_pool_that_cannot_launch_is_an_error_beside_the_instances_of_the_next_one(
    cloud: Cloud, template_id: str
) -> None:
    made = cloud.client("ec2").create_fleet(
        **fleet(template_id, {"InstanceType": "t3.imaginary"}, {"InstanceType": "t3.large"}, market="on-demand")
    )
    [error] = made["Errors"]
    assert error["ErrorCode"] == "InvalidParameterValue"
    assert error["Lifecycle"] == "on-demand"
    assert error["LaunchTemplateAndOverrides"]["Overrides"] == {"InstanceType": "t3.imaginary"}
    [group] = made["Instances"]
    assert (group["InstanceType"], group["Lifecycle"]) == ("t3.large", "on-demand")
    instance = cloud.describe(group["InstanceIds"][0])
    assert "InstanceLifecycle" not in instance
    cloud.terminate(instance["InstanceId"])


def test_priorities_decide_where_the_strategy_says_so(cloud: Cloud, template_id: str) -> None:
    overrides = [{"InstanceType": "t3.large", "Priority": 2.0}, {"InstanceType": "t3.medium", "Priority": 1.0}]
    options = {"OnDemandOptions": {"AllocationStrategy": "prioritized"}}
    made = cloud.client("ec2").create_fleet(**fleet(template_id, *overrides, market="on-demand", **options))
    [group] = made["Instances"]
    assert group["InstanceType"] == "t3.medium"
    cloud.terminate(*group["InstanceIds"])


def test_a_repeated_fleet_call_answers_the_same_and_another_one_is_refused(cloud: Cloud, template_id: str) -> None:
    ec2 = cloud.client("ec2")
    asked = fleet(template_id, {"InstanceType": "t3.small"}, ClientToken="fleet-again")
    first = ec2.create_fleet(**asked)
    again = ec2.create_fleet(**asked)
    assert (again["FleetId"], again["Instances"]) == (first["FleetId"], first["Instances"])
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        ec2.create_fleet(**fleet(template_id, {"InstanceType": "t3.large"}, ClientToken="fleet-again"))
    cloud.terminate(*first["Instances"][0]["InstanceIds"])


def test_a_token_stands_for_one_call_of_each_action(cloud: Cloud, template_id: str) -> None:
    ec2 = cloud.client("ec2")
    made = ec2.create_launch_template_version(
        LaunchTemplateId=template_id,
        SourceVersion="$Default",
        ClientToken="of-two-actions",
        LaunchTemplateData={"InstanceType": "t3.small"},
    )
    version = str(made["LaunchTemplateVersion"]["VersionNumber"])
    launched = ec2.create_fleet(
        **fleet(template_id, {"InstanceType": "t3.small"}, version=version, ClientToken="of-two-actions")
    )
    cloud.terminate(*launched["Instances"][0]["InstanceIds"])
    ec2.delete_launch_template_versions(LaunchTemplateId=template_id, Versions=[version])


def test_a_version_made_from_another_one_keeps_what_it_does_not_change(cloud: Cloud, template_id: str) -> None:
    ec2 = cloud.client("ec2")
    user_data = base64.b64encode(b"#cloud-config\n{}\n").decode()
    version = ec2.create_launch_template_version(
        LaunchTemplateId=template_id, SourceVersion="1", LaunchTemplateData={"UserData": user_data}
    )["LaunchTemplateVersion"]
    assert version["LaunchTemplateData"]["InstanceType"] == "t3.small"
    made = ec2.create_fleet(**fleet(template_id, version=str(version["VersionNumber"])))
    [instance_id] = made["Instances"][0]["InstanceIds"]
    shown = ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="userData")
    assert shown["UserData"]["Value"] == user_data
    behaviour = ec2.describe_instance_attribute(InstanceId=instance_id, Attribute="instanceInitiatedShutdownBehavior")
    assert behaviour["InstanceInitiatedShutdownBehavior"]["Value"] == "terminate"
    cloud.terminate(instance_id)


def test_a_deleted_version_is_gone_and_its_number_is_never_given_again(cloud: Cloud, template_id: str) -> None:
    ec2 = cloud.client("ec2")
    make = {"LaunchTemplateId": template_id, "SourceVersion": "1", "LaunchTemplateData": {"InstanceType": "t3.nano"}}
    number = ec2.create_launch_template_version(**make)["LaunchTemplateVersion"]["VersionNumber"]
    deleted = ec2.delete_launch_template_versions(LaunchTemplateId=template_id, Versions=[str(number), "1", "999"])
    assert [done["VersionNumber"] for done in deleted["SuccessfullyDeletedLaunchTemplateVersions"]] == [number]
    assert [wrong["ResponseError"]["Code"] for wrong in deleted["UnsuccessfullyDeletedLaunchTemplateVersions"]] == [
        "unexpectedError",  # the default one
        "launchTemplateVersionDoesNotExist",
    ]
    listed = ec2.describe_launch_template_versions(LaunchTemplateId=template_id)["LaunchTemplateVersions"]
    assert number not in [version["VersionNumber"] for version in listed]
    with pytest.raises(ClientError, match="VersionNotFound"):
        ec2.create_fleet(**fleet(template_id, version=str(number)))
    assert ec2.create_launch_template_version(**make)["LaunchTemplateVersion"]["VersionNumber"] == number + 1


def test_a_spot_request_tells_from_the_notice_to_the_end(cloud: Cloud) -> None:
    spot = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}}
    tags = [{"ResourceType": "spot-instances-request", "Tags": [{"Key": "rampart:stack", "Value": "iris"}]}]
    instance = cloud.launch(InstanceMarketOptions=spot, TagSpecifications=tags)
    instance_id = instance["InstanceId"]
    ec2 = cloud.client("ec2")
    marked = [
        {"Name": "status-code", "Values": ["marked-for-termination"]},
        {"Name": "tag:rampart:stack", "Values": ["iris"]},
    ]
    assert ec2.describe_spot_instance_requests(Filters=marked)["SpotInstanceRequests"] == []
    cloud.local.spot_notice(instance_id)
    [found] = ec2.describe_spot_instance_requests(Filters=marked)["SpotInstanceRequests"]
    assert (found["InstanceId"], found["State"]) == (instance_id, "active")
    cloud.local._instances.interrupt(instance_id)
    assert cloud.describe(instance_id)["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    request = spot_request(cloud, instance)
    assert (request["State"], request["Status"]["Code"]) == ("closed", "instance-terminated-no-capacity")
