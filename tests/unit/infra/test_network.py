"""The networks an event may have."""

from __future__ import annotations

import itertools
from ipaddress import IPv4Network
from typing import Any

import pulumi
import pytest

from contracts.errors import AskedWrongly
from infra.network import DefaultNetwork, GivenNetwork, GivenNetworkArgs, OwnNetwork, OwnNetworkArgs
from infra.tags import Labels
from tests.unit.infra import promises
from tests.unit.infra.recording import Recording, record

LABELS = Labels(event="iris", stack="iris")
WORLD = "0.0.0.0/0"
OPTIONS = [
    {"zones": zones, "private": private, "nat": private and nat}
    for zones, private, nat in itertools.product((1, 2, 3), (False, True), (False, True))
    if private or not nat
]


def _own(**changes: Any) -> Recording:
    values: dict[str, Any] = {
        "cidr": IPv4Network("10.20.0.0/16"),
        "zones": 2,
        "private": False,
        "nat": False,
        "region": "eu-west-3",
        "labels": LABELS,
    }
    return record(lambda: _outputs(OwnNetwork("network", OwnNetworkArgs(**{**values, **changes}))))


def _outputs(network: OwnNetwork | GivenNetwork | DefaultNetwork) -> dict[str, Any]:
    tables = {"route_table_ids": network.route_table_ids} if isinstance(network, OwnNetwork) else {}
    return {
        "vpc_id": network.vpc_id,
        "cidr": network.cidr,
        "subnet_ids": network.subnet_ids,
        "build_subnet_id": network.build_subnet_id,
        **tables,
    }


def _table_of(recording: Recording, subnet_id: str) -> str:
    (table,) = [
        each.inputs["routeTableId"]
        for each in recording.of(":RouteTableAssociation")
        if each.inputs["subnetId"] == subnet_id
    ]
    return str(table)


def _ways_out(recording: Recording, subnet_id: str) -> list[str]:
    """What leads out of a subnet: `gatewayId` or `natGatewayId`."""
    table = _table_of(recording, subnet_id)
    routes = [each.inputs for each in recording.of(":Route") if each.inputs["routeTableId"] == table]
    assert all(route["destinationCidrBlock"] == WORLD for route in routes)
    return [key for route in routes for key in ("gatewayId", "natGatewayId") if key in route]


@pytest.mark.parametrize("options", OPTIONS)
def test_every_subnet_has_exactly_one_route_table(options: dict[str, Any]) -> None:
    recording = _own(**options)
    subnets = sorted(f"id-{each.name}" for each in recording.of(":Subnet"))

    assert sorted(each.inputs["subnetId"] for each in recording.of(":RouteTableAssociation")) == subnets
    tables = {_table_of(recording, subnet) for subnet in subnets}
    assert sorted(recording.outputs["route_table_ids"]) == sorted(tables)
    assert len(recording.of(":RouteTable")) == len(tables)


@pytest.mark.parametrize("options", OPTIONS)
def test_everything_in_a_network_is_named_and_tagged(options: dict[str, Any]) -> None:
    recording = _own(**options)

    assert promises.untagged(recording) == []
    assert promises.misnamed(recording) == []
    assert {each.parent.rpartition("::")[2] for each in recording.resources()} == {"network"}


@pytest.mark.parametrize("options", OPTIONS)
def test_builds_and_gateways_stand_in_a_public_subnet_that_leads_out(options: dict[str, Any]) -> None:
    recording = _own(**options)
    subnet = recording.outputs["build_subnet_id"]

    assert _ways_out(recording, subnet) == ["gatewayId"]
    assert recording.named(subnet.removeprefix("id-")).inputs["mapPublicIpOnLaunch"] is True


def test_public_hosts_have_addresses_and_the_first_subnet_is_the_builds() -> None:
    recording = _own()

    assert [each.name for each in recording.of(":Subnet")] == ["rampart-iris-subnet-0", "rampart-iris-subnet-1"]
    assert all(each.inputs["mapPublicIpOnLaunch"] for each in recording.of(":Subnet"))
    assert recording.outputs["subnet_ids"] == ["id-rampart-iris-subnet-0", "id-rampart-iris-subnet-1"]
    assert recording.outputs["build_subnet_id"] == "id-rampart-iris-subnet-0"
    assert recording.outputs["route_table_ids"] == ["id-rampart-iris-routes"]
    assert recording.outputs["cidr"] == "10.20.0.0/16"


def test_private_hosts_have_neither_an_address_nor_a_way_out() -> None:
    recording = _own(private=True)

    assert len(recording.outputs["subnet_ids"]) == 2
    for subnet in recording.outputs["subnet_ids"]:
        assert recording.named(subnet.removeprefix("id-")).inputs["mapPublicIpOnLaunch"] is False
        assert _ways_out(recording, subnet) == []
    assert recording.of(":NatGateway") == recording.of(":Eip") == []
    assert recording.outputs["build_subnet_id"] not in recording.outputs["subnet_ids"]


def test_nat_is_the_only_way_out_of_private_hosts_and_stands_where_it_can_go_out() -> None:
    recording = _own(private=True, nat=True)
    nat, address = recording.only(":NatGateway"), recording.only(":Eip")

    assert [_ways_out(recording, subnet) for subnet in recording.outputs["subnet_ids"]] == [["natGatewayId"]] * 2
    assert nat.inputs["subnetId"] == recording.outputs["build_subnet_id"]
    assert nat.inputs["allocationId"] == f"id-{address.name}"
    for each in (nat, address):
        assert each.depends_on("rampart-iris-gateway"), "the internet gateway must come first and go last"


def test_another_kind_of_subnet_or_number_of_zones_moves_no_subnet() -> None:
    def ranges(**options: Any) -> dict[str, tuple[str, str]]:
        return {
            each.name: (each.inputs["cidrBlock"], each.inputs["availabilityZone"])
            for each in _own(**options).of(":Subnet")
        }

    public, private, three = ranges(), ranges(private=True), ranges(private=True, zones=3)

    assert public == {
        "rampart-iris-subnet-0": ("10.20.0.0/19", "eu-west-3a"),
        "rampart-iris-subnet-1": ("10.20.32.0/19", "eu-west-3b"),
    }
    assert private == public | {"rampart-iris-subnet-public": ("10.20.224.0/19", "eu-west-3a")}
    assert three == private | {"rampart-iris-subnet-2": ("10.20.64.0/19", "eu-west-3c")}


def test_no_two_subnets_overlap_with_as_many_zones_as_there_may_be() -> None:
    zones = {"names": [f"eu-west-3{letter}" for letter in "abcdef"]}
    args = OwnNetworkArgs(IPv4Network("10.20.0.0/24"), 6, True, False, "eu-west-3", LABELS)
    recording = record(
        lambda: _outputs(OwnNetwork("network", args)),
        answers={"aws:index/getAvailabilityZones:getAvailabilityZones": zones},
    )
    ranges = [IPv4Network(each.inputs["cidrBlock"]) for each in recording.of(":Subnet")]

    assert len(ranges) == 7
    assert not any(one.overlaps(other) for one, other in itertools.combinations(ranges, 2))


def test_the_vpcs_own_default_group_loses_its_rules() -> None:
    inputs = _own().only(":DefaultSecurityGroup").inputs

    assert inputs["vpcId"] == "id-rampart-iris-vpc"
    assert not {"ingress", "egress"} & set(inputs)


def test_names_of_interface_endpoints_are_resolved_in_the_vpc() -> None:
    vpc = _own().only(":Vpc").inputs

    assert (vpc["enableDnsSupport"], vpc["enableDnsHostnames"]) == (True, True)


def test_more_zones_than_the_region_has_are_refused() -> None:
    with pytest.raises(Exception, match=r"eu-west-3 has 3 .*write infra\.network\.availability_zones: 3"):
        _own(zones=4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"zones": 7}, r"infra\.network\.availability_zones is 7"),
        ({"zones": 0}, r"infra\.network\.availability_zones is 0"),
        ({"cidr": IPv4Network("10.0.0.0/8")}, r"infra\.network\.cidr is 10\.0\.0\.0/8"),
    ],
)
def test_a_network_that_cannot_be_is_refused_by_its_key(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(AskedWrongly, match=message):
        _own(**wrong)


def test_a_given_vpc_is_looked_up_and_nothing_in_it_is_declared() -> None:
    args = GivenNetworkArgs("vpc-0abc1234", ("subnet-0b", "subnet-0a"), "subnet-0c", LABELS)
    recording = record(
        lambda: _outputs(GivenNetwork("network", args)),
        answers={"aws:ec2/getVpc:getVpc": {"id": "vpc-0abc1234", "cidrBlock": "10.9.0.0/16"}},
    )

    assert recording.resources() == []
    assert [each.inputs for each in recording.lookups] == [{"id": "vpc-0abc1234"}]
    assert recording.outputs == {
        "vpc_id": "vpc-0abc1234",
        "cidr": "10.9.0.0/16",
        "subnet_ids": ["subnet-0b", "subnet-0a"],
        "build_subnet_id": "subnet-0c",
    }


def test_builds_run_in_the_first_given_subnet_where_none_is_named() -> None:
    args = GivenNetworkArgs("vpc-0abc1234", ("subnet-0b", "subnet-0a"), None, LABELS)

    assert record(lambda: _outputs(GivenNetwork("network", args))).outputs["build_subnet_id"] == "subnet-0b"


def test_a_given_vpc_without_subnets_is_refused() -> None:
    args = GivenNetworkArgs("vpc-0abc1234", (), None, LABELS)

    with pytest.raises(AskedWrongly, match=r"infra\.network\.subnet_ids is empty"):
        record(lambda: _outputs(GivenNetwork("network", args)))


def test_the_default_networks_subnets_are_known_while_the_program_runs() -> None:
    counted: list[int] = []

    def program() -> dict[str, pulumi.Output[Any]]:
        network = DefaultNetwork("network", LABELS)
        counted.append(len(network.subnet_ids))
        return _outputs(network)

    recording = record(program)

    assert counted == [2]
    assert recording.resources() == []
    assert recording.outputs == {
        "vpc_id": "vpc-default",
        "cidr": "172.31.0.0/16",
        "subnet_ids": ["subnet-default-a", "subnet-default-b"],
        "build_subnet_id": "subnet-default-a",
    }
    subnets = recording.lookups[1].inputs["filters"]
    assert {each["name"]: each["values"] for each in subnets} == {
        "vpc-id": ["vpc-default"],
        "default-for-az": ["true"],
    }


def test_a_default_vpc_without_subnets_is_refused_with_a_way_to_mend_it() -> None:
    with pytest.raises(AskedWrongly, match=r"vpc-default has no default subnet .*infra\.network\.vpc: own"):
        record(
            lambda: _outputs(DefaultNetwork("network", LABELS)),
            answers={"aws:ec2/getSubnets:getSubnets": {"ids": []}},
        )
