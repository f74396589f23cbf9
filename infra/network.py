"""Give an event a network: a VPC of its own, or the account's default one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from infra import addresses, naming
from infra.tags import Labels


@dataclass(frozen=True)
class OwnNetworkArgs:
    """The range of the VPC and the number of availability zones it spans."""

    cidr: IPv4Network
    zones: int
    labels: Labels


class OwnNetwork(pulumi.ComponentResource):
    """A VPC with one public subnet per availability zone and a way out."""

    vpc_id: pulumi.Output[str]
    subnet_ids: pulumi.Output[Sequence[str]]

    def __init__(self, name: str, args: OwnNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("rampart:infra:OwnNetwork", name, None, opts)
        self._args = args
        inside = pulumi.ResourceOptions(parent=self)
        vpc = aws.ec2.Vpc(
            self._called("vpc"),
            cidr_block=str(args.cidr),
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._tags("vpc"),
            opts=inside,
        )
        routes = self._way_out(vpc, inside)
        subnets = self._subnets(vpc, routes, inside)
        self.vpc_id = vpc.id
        self.subnet_ids = pulumi.Output.all(*[subnet.id for subnet in subnets])
        self.register_outputs({"vpcId": self.vpc_id, "subnetIds": self.subnet_ids})

    def _way_out(self, vpc: aws.ec2.Vpc, inside: pulumi.ResourceOptions) -> aws.ec2.RouteTable:
        gateway = aws.ec2.InternetGateway(
            self._called("gateway"), vpc_id=vpc.id, tags=self._tags("gateway"), opts=inside
        )
        routes = aws.ec2.RouteTable(self._called("routes"), vpc_id=vpc.id, tags=self._tags("routes"), opts=inside)
        aws.ec2.Route(
            self._called("way-out"),
            route_table_id=routes.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=inside,
        )
        return routes

    def _subnets(
        self, vpc: aws.ec2.Vpc, routes: aws.ec2.RouteTable, inside: pulumi.ResourceOptions
    ) -> list[aws.ec2.Subnet]:
        subnets = []
        zones = _zones(self._args.zones, inside)
        for index, cidr in enumerate(addresses.subnets(self._args.cidr, self._args.zones)):
            purpose = f"subnet-{index}"
            subnet = aws.ec2.Subnet(
                self._called(purpose),
                vpc_id=vpc.id,
                cidr_block=str(cidr),
                availability_zone=zones[index],
                map_public_ip_on_launch=True,
                tags=self._tags(purpose),
                opts=inside,
            )
            aws.ec2.RouteTableAssociation(
                self._called(f"{purpose}-routes"), subnet_id=subnet.id, route_table_id=routes.id, opts=inside
            )
            subnets.append(subnet)
        return subnets

    def _called(self, purpose: str) -> str:
        return naming.logical_name(self._args.labels.event, purpose)

    def _tags(self, purpose: str) -> dict[str, str]:
        return self._args.labels.resource(self._called(purpose))


class DefaultNetwork(pulumi.ComponentResource):
    """The account's default VPC with its default subnets: looked up, never changed."""

    vpc_id: pulumi.Output[str]
    subnet_ids: pulumi.Output[Sequence[str]]

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("rampart:infra:DefaultNetwork", name, None, opts)
        asking = pulumi.InvokeOptions(parent=self)
        vpc = aws.ec2.get_vpc_output(default=True, opts=asking)
        subnets = aws.ec2.get_subnets_output(filters=vpc.id.apply(_default_subnets), opts=asking)
        self.vpc_id = vpc.id
        self.subnet_ids = subnets.ids.apply(sorted)
        self.register_outputs({"vpcId": self.vpc_id, "subnetIds": self.subnet_ids})


def _default_subnets(vpc_id: str) -> list[aws.ec2.GetSubnetsFilterArgs]:
    return [
        aws.ec2.GetSubnetsFilterArgs(name="vpc-id", values=[vpc_id]),
        aws.ec2.GetSubnetsFilterArgs(name="default-for-az", values=["true"]),
    ]


def _zones(count: int, inside: pulumi.ResourceOptions) -> pulumi.Output[Sequence[str]]:
    """Ask for the first zones of the region, local and wavelength zones aside."""
    found = aws.get_availability_zones_output(
        state="available",
        filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
        opts=pulumi.InvokeOptions(parent=inside.parent),
    )

    def first(names: Sequence[str]) -> Sequence[str]:
        if len(names) < count:
            raise pulumi.RunError(
                f"the region has {len(names)} availability zones; write infra.network.availability_zones: {len(names)}"
            )
        return sorted(names)[:count]

    return found.names.apply(first)
