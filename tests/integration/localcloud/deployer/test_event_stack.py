"""The stack of the example event, deployed into the local cloud and taken away again."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from clients.keys import new_key_file
from contracts.event import EventConfig
from contracts.event_file import load_event
from contracts.stack import StackOutputs
from infra import program
from localcloud import LocalCloud
from localcloud.deployer import Deployer, Deployment, table
from localcloud.deployer.connection import Connection
from localcloud.deployer.handler import Handler, Made

REPOSITORY = Path(__file__).resolve().parents[4]


@dataclass(frozen=True)
class Stack:
    """One event of its own on a cloud that others use too."""

    event: EventConfig
    deployer: Deployer
    connection: Connection

    def client(self, service: str) -> Any:
        return self.connection.client(service, self.event.region)

    def up(self) -> Deployment:
        return self.deployer.up(lambda: program.build(self.event), project="rampart", stack=self.event.name)

    def changed(self, **infra: Any) -> Stack:
        """The same event with other values in its section `infra`."""
        event = self.event.model_copy(update={"infra": self.event.infra.model_copy(update=infra)})
        return replace(self, event=event)

    def made(self) -> list[tuple[Handler, Made]]:
        """Everything in the stack's state that `destroy` deletes, with the handler that made it."""
        entries = json.loads((self.event.state_dir / "stack.json").read_text())["resources"]
        return [
            (
                table.HANDLERS[entry["type"]],
                Made(entry["id"], entry["region"], entry["inputs"], entry["outputs"], self.connection),
            )
            for entry in entries
            if not entry["retained"]
        ]

    def remaining(self) -> list[str]:
        """Ids of everything in the cloud that is tagged or named as this event's."""
        ec2 = self.client("ec2")
        mine = [{"Name": "tag:rampart:event", "Values": [self.event.name]}]
        found = [
            *(each["VpcId"] for each in ec2.describe_vpcs(Filters=mine)["Vpcs"]),
            *(each["SubnetId"] for each in ec2.describe_subnets(Filters=mine)["Subnets"]),
            *(each["RouteTableId"] for each in ec2.describe_route_tables(Filters=mine)["RouteTables"]),
            *(each["InternetGatewayId"] for each in ec2.describe_internet_gateways(Filters=mine)["InternetGateways"]),
            *(each["GroupId"] for each in ec2.describe_security_groups(Filters=mine)["SecurityGroups"]),
            *(each["LaunchTemplateId"] for each in ec2.describe_launch_templates(Filters=mine)["LaunchTemplates"]),
            *(each["KeyName"] for each in ec2.describe_key_pairs(Filters=mine)["KeyPairs"]),
        ]
        iam, builder = self.client("iam"), self.client("imagebuilder")
        named = [
            *(each["RoleName"] for each in iam.list_roles()["Roles"]),
            *(each["InstanceProfileName"] for each in iam.list_instance_profiles()["InstanceProfiles"]),
            *(each["arn"] for each in builder.list_image_pipelines()["imagePipelineList"]),
            *(
                each["arn"]
                for each in builder.list_infrastructure_configurations()["infrastructureConfigurationSummaryList"]
            ),
            *(
                each["arn"]
                for each in builder.list_distribution_configurations()["distributionConfigurationSummaryList"]
            ),
        ]
        return found + [name for name in named if f"rampart-{self.event.name}-" in name]


@pytest.fixture
def stack(local_cloud: LocalCloud, tmp_path: Path) -> Iterator[Stack]:
    iris = load_event(REPOSITORY / "events" / "iris" / "config.yml", environ=local_cloud.environment)
    ramp = iris.ramp.model_copy(update={"event_name": f"iris-{uuid.uuid4().hex[:6]}"})
    event = iris.model_copy(update={"ramp": ramp, "state_root": tmp_path})
    new_key_file(event.key_path)
    deployer = Deployer(event.state_dir / "stack.json", local_cloud.environment)
    connection = Connection(local_cloud.environment)
    yield Stack(event, deployer, connection)
    deployer.destroy()
    connection.close()


def test_an_event_goes_up_once_stays_and_goes_without_a_trace(stack: Stack) -> None:
    first = stack.up()
    outputs = StackOutputs.model_validate(first.outputs)

    second = stack.up()
    assert second.changed_nothing
    assert set(second.unchanged) == set(first.created)
    assert second.outputs == first.outputs
    _hosts_are_guarded(stack, outputs)
    assert stack.remaining() != []

    made = stack.made()
    assert [each.id for handler, each in made if not handler.exists(each)] == []
    stack.deployer.destroy()
    assert stack.remaining() == []
    assert [each.id for handler, each in made if handler.exists(each)] == []
    assert stack.deployer.destroy().changed_nothing


def _hosts_are_guarded(stack: Stack, outputs: StackOutputs) -> None:
    ec2 = stack.client("ec2")
    (group,) = ec2.describe_security_groups(GroupIds=[outputs.security_group_id])["SecurityGroups"]
    assert group["IpPermissionsEgress"] == []
    (way_in,) = group["IpPermissions"]
    assert (way_in["FromPort"], way_in["ToPort"]) == (22, 22)
    assert [each["CidrIp"] for each in way_in["IpRanges"]] == ["127.0.0.0/8"]

    versions = ec2.describe_launch_template_versions(LaunchTemplateId=outputs.launch_template_id, Versions=["$Default"])
    data = versions["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert data["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert data["InstanceInitiatedShutdownBehavior"] == "terminate"
    assert (data["KeyName"], data["SecurityGroupIds"]) == (outputs.key_name, [outputs.security_group_id])


def test_another_range_replaces_the_rule_alone(stack: Stack) -> None:
    before = stack.up()
    stack = stack.changed(allowed_cidrs=(IPv4Network("127.0.0.0/9"),))

    after = stack.up()

    assert [name.rpartition("ssh-from-")[2] for name in after.created] == ["127.0.0.0-9"]
    assert [name.rpartition("ssh-from-")[2] for name in after.deleted] == ["127.0.0.0-8"]
    assert after.replaced == ()
    assert after.outputs == before.outputs


def test_another_vpc_range_replaces_all_that_stands_in_it(stack: Stack) -> None:
    before = stack.up()
    network = stack.event.infra.network.model_copy(update={"cidr": IPv4Network("10.30.0.0/16")})
    stack = stack.changed(network=network)

    after = stack.up()

    kept = {name.removeprefix(f"rampart-{stack.event.name}-") for name in after.unchanged}
    assert {"key", "image-build", "distribution", "recipe"} <= kept
    assert {"vpc", "subnet-0", "hosts", "host", "builds", "image", "gateway"}.isdisjoint(kept)
    assert after.outputs["vpc_id"] != before.outputs["vpc_id"]
    assert stack.up().changed_nothing


def test_an_event_in_the_default_network_leaves_it_as_it_was(stack: Stack) -> None:
    ec2 = stack.client("ec2")
    network = stack.event.infra.network.model_copy(update={"vpc": "default"})
    stack = stack.changed(network=network)
    (default,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]

    outputs = stack.up().outputs

    assert outputs["vpc_id"] == default["VpcId"]
    stack.deployer.destroy()
    assert ec2.describe_vpcs(VpcIds=[default["VpcId"]])["Vpcs"] == [default]
    assert stack.remaining() == []
