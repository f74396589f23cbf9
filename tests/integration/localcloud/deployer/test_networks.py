"""Private networks with all that belongs to them, deployed and taken away again."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Network
from typing import Any

import pulumi_aws as aws
import pytest

from contracts.errors import CloudError
from infra.connect_endpoint import ConnectEndpoint, ConnectEndpointArgs
from infra.endpoints import Endpoints, EndpointsArgs
from infra.flow_logs import FlowLogs, FlowLogsArgs
from infra.network import OwnNetwork, OwnNetworkArgs
from infra.tags import Labels
from tests.integration.localcloud.deployer.stages import Stage

REGION = "eu-west-3"
RANGE = IPv4Network("10.77.0.0/16")


def _network(stage: Stage, *, private: bool, nat: bool) -> OwnNetwork:
    labels = Labels(stage.name, stage.name)
    return OwnNetwork("network", OwnNetworkArgs(RANGE, 2, private, nat, REGION, labels))


def test_a_private_network_has_a_way_out_through_nat_alone(stage: Stage) -> None:
    def program() -> Mapping[str, Any]:
        network = _network(stage, private=True, nat=True)
        return {"vpc": network.vpc_id, "subnets": network.subnet_ids, "tables": network.route_table_ids}

    outputs = stage.up_twice(program)

    ec2 = stage.client("ec2")
    [nat] = ec2.describe_nat_gateways(Filters=[{"Name": "vpc-id", "Values": [outputs["vpc"]]}])["NatGateways"]
    public, private = (ec2.describe_route_tables(RouteTableIds=[each])["RouteTables"][0] for each in outputs["tables"])
    assert _ways_out(private) == [{"NatGatewayId": nat["NatGatewayId"]}]
    assert [way["GatewayId"][:4] for way in _ways_out(public)] == ["igw-"]
    assert nat["NatGatewayAddresses"][0]["AllocationId"].startswith("eipalloc-")
    stage.leaves_nothing()
    assert _left_in(ec2, outputs["vpc"]) == []


def _ways_out(table: dict[str, Any]) -> list[dict[str, str]]:
    world = [route for route in table["Routes"] if route.get("DestinationCidrBlock") == "0.0.0.0/0"]
    return [{name: value for name, value in each.items() if name.endswith("GatewayId")} for each in world]


def _left_in(ec2: Any, vpc: str) -> list[str]:
    mine = [{"Name": "vpc-id", "Values": [vpc]}]
    return [
        *(each["NetworkInterfaceId"] for each in ec2.describe_network_interfaces(Filters=mine)["NetworkInterfaces"]),
        *(each["SubnetId"] for each in ec2.describe_subnets(Filters=mine)["Subnets"]),
        *(each["GroupId"] for each in ec2.describe_security_groups(Filters=mine)["SecurityGroups"]),
    ]


def test_the_group_that_a_vpc_comes_with_lets_nobody_through(stage: Stage) -> None:
    outputs = stage.up_twice(lambda: {"vpc": _network(stage, private=False, nat=False).vpc_id})

    [group] = stage.client("ec2").describe_security_groups(
        Filters=[{"Name": "vpc-id", "Values": [outputs["vpc"]]}, {"Name": "group-name", "Values": ["default"]}]
    )["SecurityGroups"]
    assert (group["IpPermissions"], group["IpPermissionsEgress"]) == ([], [])
    stage.leaves_nothing()


def test_endpoints_flow_logs_and_a_tunnel_stand_in_the_network_and_go_before_it(stage: Stage) -> None:
    labels = Labels(stage.name, stage.name)

    def program() -> Mapping[str, Any]:
        network = _network(stage, private=True, nat=False)
        group = aws.ec2.SecurityGroup("tunnel", vpc_id=network.vpc_id)
        Endpoints(
            "endpoints",
            EndpointsArgs(
                network.vpc_id, RANGE, network.subnet_ids, network.route_table_ids, ("logs", "ssm"), REGION, labels
            ),
        )
        FlowLogs("flow", FlowLogsArgs(network.vpc_id, 7, REGION, None, labels))
        tunnel = ConnectEndpoint("tunnel", ConnectEndpointArgs(network.subnet_ids[0], group.id, labels))
        return {"vpc": network.vpc_id, "tunnel": tunnel.endpoint_id}

    outputs = stage.up_twice(program)

    ec2 = stage.client("ec2")
    mine = [{"Name": "vpc-id", "Values": [outputs["vpc"]]}]
    services = {each["ServiceName"].rpartition(".")[2] for each in _endpoints(ec2, outputs["vpc"])}
    assert services == {"s3", "logs", "ssm"}
    [tunnel] = ec2.describe_instance_connect_endpoints(Filters=mine)["InstanceConnectEndpoints"]
    assert (tunnel["InstanceConnectEndpointId"], tunnel["State"]) == (outputs["tunnel"], "create-complete")
    [flow] = ec2.describe_flow_logs(Filters=[{"Name": "resource-id", "Values": [outputs["vpc"]]}])["FlowLogs"]
    assert flow["LogGroupName"].startswith(f"/rampart/{stage.name}/flow-logs-")
    assert flow["DeliverLogsStatus"] == "SUCCESS"
    [group] = stage.client("logs").describe_log_groups(logGroupNamePrefix=flow["LogGroupName"])["logGroups"]
    assert group["retentionInDays"] == 7
    stage.leaves_nothing()
    assert _endpoints(ec2, outputs["vpc"]) == []
    assert ec2.describe_instance_connect_endpoints(Filters=mine)["InstanceConnectEndpoints"] == []
    assert _left_in(ec2, outputs["vpc"]) == []


def _endpoints(ec2: Any, vpc: str) -> list[dict[str, Any]]:
    found = ec2.describe_vpc_endpoints(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["VpcEndpoints"]
    return [each for each in found if each["State"] != "deleted"]


def test_rules_name_groups_ranges_and_what_they_are_for(stage: Stage) -> None:
    def program() -> Mapping[str, Any]:
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.78.0.0/16")
        one, other = (aws.ec2.SecurityGroup(name, vpc_id=vpc.id) for name in ("one", "other"))
        aws.vpc.SecurityGroupIngressRule(
            "from-other",
            security_group_id=one.id,
            ip_protocol="tcp",
            from_port=8786,
            to_port=8786,
            referenced_security_group_id=other.id,
            description="scheduler",
        )
        aws.vpc.SecurityGroupEgressRule(
            "to-self", security_group_id=other.id, ip_protocol="-1", referenced_security_group_id=other.id
        )
        return {"one": one.id, "other": other.id}

    outputs = stage.up_twice(program)

    described = stage.client("ec2").describe_security_groups(GroupIds=[outputs["one"]])["SecurityGroups"][0]
    [way_in] = described["IpPermissions"]
    assert (way_in["FromPort"], way_in["IpRanges"]) == (8786, [])
    [source] = way_in["UserIdGroupPairs"]
    assert (source["GroupId"], source["Description"]) == (outputs["other"], "scheduler")
    stage.leaves_nothing()


def test_what_a_program_asks_of_a_network_that_is_there_is_answered(stage: Stage) -> None:
    default = stage.client("ec2").describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]

    def program() -> Mapping[str, Any]:
        vpc = aws.ec2.get_vpc_output(id=default["VpcId"])
        inside = aws.ec2.GetSubnetsFilterArgs(name="vpc-id", values=[default["VpcId"]])
        subnets = aws.ec2.get_subnets_output(filters=[inside])
        plain = aws.ec2.get_subnet(id=aws.ec2.get_subnets(filters=[inside]).ids[0])
        return {
            "cidr": vpc.cidr_block,
            "first": plain.vpc_id,
            "subnets": subnets.ids.apply(len),
            "account": aws.get_caller_identity_output().account_id,
        }

    outputs = stage.up(program).outputs

    assert outputs == {"cidr": default["CidrBlock"], "first": default["VpcId"], "subnets": 3, "account": "123456789012"}


def test_images_are_found_newest_first_and_parameters_by_name(stage: Stage) -> None:
    ec2 = stage.client("ec2")
    tagged = [{"Key": "rampart:stack", "Value": stage.name}]
    instance = ec2.run_instances(
        ImageId=ec2.describe_images(Owners=["099720109477"])["Images"][0]["ImageId"],
        InstanceType="t3.small",
        MinCount=1,
        MaxCount=1,
    )["Instances"][0]["InstanceId"]
    images = [
        ec2.create_image(
            InstanceId=instance, Name=f"{stage.name} {n}", TagSpecifications=[{"ResourceType": "image", "Tags": tagged}]
        )["ImageId"]
        for n in range(2)
    ]
    ec2.terminate_instances(InstanceIds=[instance])

    ssm = stage.client("ssm")
    ssm.put_parameter(Name=f"/{stage.name}/word", Value="opensesame", Type="SecureString")

    def program() -> Mapping[str, Any]:
        filters = [aws.ec2.GetAmiIdsFilterArgs(name="tag:rampart:stack", values=[stage.name])]
        found = aws.ec2.get_ami_ids(owners=["self"], filters=filters)
        parameter = aws.ssm.get_parameter_output(
            name="/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
        )
        secret = aws.ssm.get_parameter_output(name=f"/{stage.name}/word")
        return {"ids": found.ids, "ubuntu": parameter.insecure_value, "word": secret.value}

    outputs = stage.up(program).outputs

    created = {each["ImageId"]: each["CreationDate"] for each in ec2.describe_images(ImageIds=images)["Images"]}
    assert sorted(images, key=lambda each: (created[each], each), reverse=True) == outputs["ids"]
    assert outputs["ubuntu"].startswith("ami-")
    assert outputs["word"] == "[secret]"
    ssm.delete_parameter(Name=f"/{stage.name}/word")
    for image in images:
        ec2.deregister_image(ImageId=image)


def test_a_parameter_that_is_not_there_is_named(stage: Stage) -> None:
    def program() -> Mapping[str, Any]:
        return {"image": aws.ssm.get_parameter_output(name="/rampart/none").insecure_value}

    with pytest.raises(CloudError, match="has no parameter /rampart/none"):
        stage.up(program)
