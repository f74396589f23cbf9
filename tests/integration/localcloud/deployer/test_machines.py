"""Machines that a stack keeps: jump hosts, standing fleets, a Dask cluster, deployed and taken away again."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from contracts.infra import DaskCluster, Requirements
from infra.dask import Cluster, ClusterArgs
from infra.fleet import StandingHosts, StandingHostsArgs
from infra.fleet_settings import FleetSettings
from infra.gateway import JumpHost, JumpHostArgs
from infra.tags import Labels
from tests.integration.clouds import KEY_NAME, UBUNTU, Cloud
from tests.integration.localcloud.deployer.stages import Stage

REGION = "eu-west-3"
SETTINGS = FleetSettings(
    key="infra.fleet",
    kind="ec2-fleet",
    instance_types=("t3.small", "t3.medium"),
    requirements=None,
    spot=True,
    minimum=0,
    target=2,
    maximum=4,
    on_demand_base=1,
    allocation="price-capacity-optimized",
    max_price_usd=0.05,
    valid_until=datetime(2099, 3, 31, tzinfo=UTC),
)


@dataclass(frozen=True)
class _Ground:
    """What machines stand on."""

    vpc: pulumi.Output[str]
    subnets: Sequence[pulumi.Output[str]]
    group: pulumi.Output[str]
    way_in: pulumi.Output[str]


def _ground() -> _Ground:
    vpc = aws.ec2.Vpc("vpc", cidr_block="10.81.0.0/16")
    subnets = [
        aws.ec2.Subnet(
            f"subnet-{zone}",
            vpc_id=vpc.id,
            cidr_block=f"10.81.{n}.0/24",
            availability_zone=zone,
            map_public_ip_on_launch=True,
        )
        for n, zone in enumerate(("eu-west-3a", "eu-west-3b"))
    ]
    groups = [aws.ec2.SecurityGroup(name, vpc_id=vpc.id) for name in ("hosts", "way-in")]
    return _Ground(vpc.id, [subnet.id for subnet in subnets], groups[0].id, groups[1].id)


@pytest.fixture
def standing(stage: Stage, cloud: Cloud) -> Callable[..., Mapping[str, Any]]:
    """A program: a standing fleet with these settings."""

    def program(**settings: Any) -> Mapping[str, Any]:
        ground = _ground()
        hosts = StandingHosts(
            "hosts",
            StandingHostsArgs(
                settings=replace(SETTINGS, **settings),
                image_id=cloud.image(),
                volume_gib=8,
                key_name=KEY_NAME,
                security_group_id=ground.group,
                user="ubuntu",
                lifetime_s=3600,
                subnet_ids=ground.subnets,
                region=REGION,
                permissions_boundary=None,
                labels=Labels(stage.name, stage.name),
            ),
        )
        return {"fleet": hosts.fleet_id, "subnets": ground.subnets}

    return program


def test_a_jump_host_is_reached_under_the_address_it_is_said_to_have(stage: Stage, cloud: Cloud) -> None:
    def program(image: str) -> Mapping[str, Any]:
        ground = _ground()
        host = JumpHost(
            "gateway",
            JumpHostArgs(
                instance_type="t3.nano",
                image=image,
                user="ubuntu",
                subnet_id=ground.subnets[0],
                security_group_id=ground.group,
                key_name=KEY_NAME,
                labels=Labels(stage.name, stage.name),
            ),
        )
        return {"id": host.instance_id, "address": host.address, "vpc": ground.vpc}

    outputs = stage.up_twice(lambda: program(f"ssm:{UBUNTU}"))

    described = cloud.describe(outputs["id"])
    assert described["PublicIpAddress"] == outputs["address"]
    assert described["MetadataOptions"]["HttpTokens"] == "required"
    assert {tag["Key"]: tag["Value"] for tag in described["Tags"]}["rampart:managed-by"] == "pulumi"
    assert cloud.ssh(outputs["address"], "echo through").stdout == b"through\n"
    assert stage.up(
        lambda: program("ami-0aaaaaaaaaaaaaaaa")
    ).changed_nothing  # another image is no reason to replace it
    stage.leaves_nothing()
    assert cloud.describe(outputs["id"])["State"]["Name"] == "terminated"
    inside = [{"Name": "vpc-id", "Values": [outputs["vpc"]]}]
    assert stage.client("ec2").describe_network_interfaces(Filters=inside)["NetworkInterfaces"] == []


def test_a_standing_fleet_is_of_real_hosts_and_its_size_is_left_to_others(
    stage: Stage, cloud: Cloud, standing: Callable[..., Mapping[str, Any]]
) -> None:
    outputs = stage.up_twice(standing)

    ec2 = stage.client("ec2")
    members = _members(ec2, outputs["fleet"])
    lifecycles = [cloud.describe(each).get("InstanceLifecycle", "on-demand") for each in members]
    assert sorted(lifecycles) == ["on-demand", "spot"]
    for each in members:
        instance = cloud.describe(each)
        assert instance["SubnetId"] in outputs["subnets"]
        assert {tag["Key"]: tag["Value"] for tag in instance["Tags"]}["rampart:max-lifetime-s"] == "3600"
        assert cloud.ssh(instance["PublicIpAddress"], "true").returncode == 0
    ec2.modify_fleet(FleetId=outputs["fleet"], TargetCapacitySpecification={"TotalTargetCapacity": 0})
    assert stage.up(lambda: standing(target=3)).changed_nothing
    assert _members(ec2, outputs["fleet"]) == []
    stage.leaves_nothing()


def _members(ec2: Any, fleet: str) -> list[str]:
    found = ec2.describe_fleet_instances(FleetId=fleet)["ActiveInstances"]
    return [each["InstanceId"] for each in found]


def test_a_standing_fleet_of_none_makes_no_machine_and_one_of_some_ends_with_the_stack(
    stage: Stage, cloud: Cloud, standing: Callable[..., Mapping[str, Any]]
) -> None:
    ec2 = stage.client("ec2")
    outputs = stage.up_twice(lambda: standing(target=0))
    assert _members(ec2, outputs["fleet"]) == []

    ec2.modify_fleet(FleetId=outputs["fleet"], TargetCapacitySpecification={"TotalTargetCapacity": 1})
    [member] = _members(ec2, outputs["fleet"])
    stage.leaves_nothing()

    assert cloud.describe(member)["State"]["Name"] == "terminated"


def test_a_standing_fleet_may_say_what_a_machine_must_have(
    stage: Stage, cloud: Cloud, standing: Callable[..., Mapping[str, Any]]
) -> None:
    wanted = Requirements(vcpu_min=2, vcpu_max=4, memory_gib_min=8)

    outputs = stage.up_twice(lambda: standing(instance_types=(), requirements=wanted, target=1))

    [member] = _members(stage.client("ec2"), outputs["fleet"])
    assert cloud.describe(member)["InstanceType"].partition(".")[0][0] != "t"
    stage.leaves_nothing()


def test_a_spot_fleet_request_is_filled_and_cancelled(
    stage: Stage, cloud: Cloud, standing: Callable[..., Mapping[str, Any]]
) -> None:
    outputs = stage.up_twice(lambda: standing(kind="spot-fleet-request"))

    ec2 = stage.client("ec2")
    asked = {"SpotFleetRequestId": outputs["fleet"]}
    members = [each["InstanceId"] for each in ec2.describe_spot_fleet_instances(**asked)["ActiveInstances"]]
    assert len(members) == 2
    assert cloud.ssh(cloud.describe(members[0])["PublicIpAddress"], "true").returncode == 0
    stage.leaves_nothing()
    assert {cloud.describe(each)["State"]["Name"] for each in members} == {"terminated"}


def test_a_dask_cluster_has_one_scheduler_whose_address_the_workers_know(stage: Stage, cloud: Cloud) -> None:
    settings = DaskCluster(
        scheduler_type="t3.small",
        worker_types=("t3.small",),
        target=1,
        max=2,
        valid_until=datetime(2099, 3, 31, tzinfo=UTC),
    )

    def program() -> Mapping[str, Any]:
        ground = _ground()
        cluster = Cluster(
            "cluster",
            ClusterArgs(
                settings=settings,
                host_types=(),
                image_id=cloud.image(),
                volume_gib=8,
                user="ubuntu",
                n_threads=1,
                environment_prefix="/opt/rampart/env",
                vpc_id=ground.vpc,
                subnet_ids=ground.subnets,
                server_group_id=ground.group,
                way_in_group_id=ground.way_in,
                allowed_cidrs=(IPv4Network("127.0.0.0/8"),),
                key_name=KEY_NAME,
                region=REGION,
                permissions_boundary=None,
                labels=Labels(stage.name, stage.name),
            ),
        )
        return {
            "scheduler": cluster.scheduler_id,
            "address": cluster.scheduler_address,
            "workers": cluster.worker_fleet_id,
        }

    outputs = stage.up_twice(program)

    ec2 = stage.client("ec2")
    scheduler = cloud.describe(outputs["scheduler"])
    assert scheduler["PrivateIpAddress"] == outputs["address"]
    assert "IamInstanceProfile" not in scheduler
    [worker] = _members(ec2, outputs["workers"])
    shown = ec2.describe_instance_attribute(InstanceId=worker, Attribute="userData")["UserData"]["Value"]
    assert f"tls://{outputs['address']}:8786".encode() in base64.b64decode(shown)
    stage.leaves_nothing()
    assert {cloud.describe(each)["State"]["Name"] for each in (worker, outputs["scheduler"])} == {"terminated"}
