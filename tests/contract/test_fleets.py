"""What a Dask cluster asks of its fleet holds for EC2's emulator as it does for the double in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import boto3
import pytest

from clients.aws.ec2 import Ec2
from clients.aws.fleets import Ec2Fleet
from clients.memory_fleet import MemoryFleet
from clients.memory_instances import MemoryInstances
from contracts.errors import CloudError
from runner.dask.clusters.standing import Fleet
from runner.dask.machines import FLEET_TAG
from runner.ports import Instances
from tests.integration.clouds import KEY_NAME, Cloud


@dataclass(frozen=True)
class Crew:
    """A fleet, and the account it launches in."""

    fleet: Fleet
    instances: Instances
    fleet_id: str

    def up(self) -> list[str]:
        found = self.instances.instances({FLEET_TAG: self.fleet_id})
        return sorted(each.instance_id for each in found if not each.has_ended)


@pytest.fixture(scope="module")
def template_id(cloud: Cloud) -> Iterator[str]:
    ec2 = cloud.client("ec2")
    data = {"ImageId": cloud.image(), "KeyName": KEY_NAME, "InstanceType": "t3.small"}
    made = ec2.create_launch_template(LaunchTemplateName="contract-fleets", LaunchTemplateData=data)
    yield made["LaunchTemplate"]["LaunchTemplateId"]
    ec2.delete_launch_template(LaunchTemplateId=made["LaunchTemplate"]["LaunchTemplateId"])


@pytest.fixture(params=["memory", "emulator"])
def crew(request: pytest.FixtureRequest) -> Iterator[Crew]:
    """An empty fleet of spot machines."""
    if request.param == "memory":
        instances = MemoryInstances(lambda: datetime.now(UTC))
        fleet = MemoryFleet(instances, {FLEET_TAG: "fleet-1"}, lambda: datetime.now(UTC))
        yield Crew(fleet, instances, "fleet-1")
        return
    cloud: Cloud = request.getfixturevalue("cloud")
    request.getfixturevalue("aws_environment")
    template_id = request.getfixturevalue("template_id")
    ec2 = cloud.client("ec2")
    specification = {"LaunchTemplateId": template_id, "Version": "$Latest"}
    fleet_id = ec2.create_fleet(
        Type="maintain",
        TargetCapacitySpecification={"TotalTargetCapacity": 0, "DefaultTargetCapacityType": "spot"},
        LaunchTemplateConfigs=[{"LaunchTemplateSpecification": specification}],
        ExcessCapacityTerminationPolicy="termination",
    )["FleetId"]
    session = boto3.Session()
    yield Crew(Ec2Fleet(session, fleet_id), Ec2(session), fleet_id)
    ec2.delete_fleets(FleetIds=[fleet_id], TerminateInstances=True)


def test_it_grows_to_what_it_is_told_and_says_how_large_it_is_to_be(crew: Crew) -> None:
    assert (crew.fleet.target(), crew.up()) == (0, [])
    crew.fleet.resize(2, on_demand=0)
    _await(lambda: len(crew.up()) == 2)
    assert crew.fleet.target() == 2


def test_it_ends_nothing_by_itself_and_replaces_nothing_that_is_more_than_its_target(crew: Crew) -> None:
    crew.fleet.resize(2, on_demand=0)
    _await(lambda: len(crew.up()) == 2)
    before = crew.up()
    crew.fleet.resize(1, on_demand=0)
    assert crew.up() == before
    crew.instances.terminate([before[1]])
    crew.fleet.resize(1, on_demand=0)
    assert (crew.fleet.target(), crew.up()) == (1, [before[0]])


def test_a_fleet_that_has_ended_says_so(cloud: Cloud, aws_environment: dict[str, str], template_id: str) -> None:
    ec2 = cloud.client("ec2")
    fleet_id = ec2.create_fleet(
        Type="maintain",
        TargetCapacitySpecification={"TotalTargetCapacity": 0, "DefaultTargetCapacityType": "spot"},
        LaunchTemplateConfigs=[{"LaunchTemplateSpecification": {"LaunchTemplateId": template_id, "Version": "1"}}],
    )["FleetId"]
    fleet = Ec2Fleet(boto3.Session(), fleet_id)
    ec2.delete_fleets(FleetIds=[fleet_id], TerminateInstances=True)
    with pytest.raises(CloudError, match="has ended") as caught:
        fleet.target()
    assert caught.value.hint
    with pytest.raises(CloudError, match="could not resize"):
        fleet.resize(1, on_demand=0)


def _await(is_so: Callable[[], bool]) -> None:
    """Ask again and again; EC2 has no other way to wait."""
    pause = threading.Event()
    for _ in range(400):
        if is_so():
            return
        pause.wait(0.05)
    raise AssertionError("it did not become so within 20 s")
