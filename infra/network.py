"""Give an event a network: a VPC of its own, one that is there, or the account's default one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from contracts.errors import AskedWrongly
from infra import addresses
from infra.component import Component
from infra.tags import Labels


@dataclass(frozen=True)
class OwnNetworkArgs:
    """The range of the VPC, the number of availability zones it spans, whether hosts have public addresses.

    `nat` gives private hosts a way out.
    """

    cidr: IPv4Network
    zones: int
    private: bool
    nat: bool
    region: str
    labels: Labels


class OwnNetwork(Component):
    """A VPC with one subnet for hosts per availability zone, and a public one.

    The hosts' subnets are public themselves, or they have no way out but NAT where asked for; then one public subnet
    more stands beside them, in the first zone.
    """

    vpc_id: pulumi.Output[str]
    cidr: pulumi.Output[str]
    subnet_ids: Sequence[pulumi.Output[str]]
    build_subnet_id: pulumi.Output[str]
    route_table_ids: Sequence[pulumi.Output[str]]

    def __init__(self, name: str, args: OwnNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("OwnNetwork", name, args.labels, opts)
        self._args = args
        # refused before anything is declared
        ranges = addresses.subnets(args.cidr, args.zones)
        self._vpc = self._declare_vpc()
        self._gateway = aws.ec2.InternetGateway(
            self.called("gateway"), vpc_id=self._vpc.id, tags=self.tags("gateway"), opts=self.inside
        )
        self._zones = _first_zones(args.zones, args.region, self)
        public_routes = self._public_routes()
        beside = self._public_subnet(public_routes) if args.private else None
        hosts_routes = self._private_routes(beside) if beside else public_routes
        hosts = [
            self._subnet(str(index), cidr, index, hosts_routes, public=not args.private)
            for index, cidr in enumerate(ranges)
        ]
        self.vpc_id = self._vpc.id
        self.cidr = self._vpc.cidr_block
        self.subnet_ids = [subnet.id for subnet in hosts]
        self.build_subnet_id = (beside or hosts[0]).id
        self.route_table_ids = [public_routes.id, hosts_routes.id] if beside else [public_routes.id]
        self.register_outputs(
            {
                "vpcId": self.vpc_id,
                "cidr": self.cidr,
                "subnetIds": self.subnet_ids,
                "buildSubnetId": self.build_subnet_id,
                "routeTableIds": self.route_table_ids,
            }
        )

    def _declare_vpc(self) -> aws.ec2.Vpc:
        vpc = aws.ec2.Vpc(
            self.called("vpc"),
            cidr_block=str(self._args.cidr),
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self.tags("vpc"),
            opts=self.inside,
        )
        # Every VPC comes with a group that lets its members reach one another and the world. Declared without rules it
        # loses them: whatever is launched here without a group is shut off.
        aws.ec2.DefaultSecurityGroup(
            self.called("default-group"), vpc_id=vpc.id, tags=self.tags("default-group"), opts=self.inside
        )
        return vpc

    def _public_routes(self) -> aws.ec2.RouteTable:
        routes = self._route_table("routes")
        aws.ec2.Route(
            self.called("way-out"),
            route_table_id=routes.id,
            destination_cidr_block=str(addresses.WORLD),
            gateway_id=self._gateway.id,
            opts=self.inside,
        )
        return routes

    def _public_subnet(self, routes: aws.ec2.RouteTable) -> aws.ec2.Subnet:
        return self._subnet("public", addresses.public_subnet(self._args.cidr), 0, routes, public=True)

    def _private_routes(self, public: aws.ec2.Subnet) -> aws.ec2.RouteTable:
        """Declare the hosts' routes: within the VPC alone, and through NAT where asked for."""
        routes = self._route_table("private-routes")
        if self._args.nat:
            aws.ec2.Route(
                self.called("private-way-out"),
                route_table_id=routes.id,
                destination_cidr_block=str(addresses.WORLD),
                nat_gateway_id=self._nat(public).id,
                opts=self.inside,
            )
        return routes

    def _nat(self, public: aws.ec2.Subnet) -> aws.ec2.NatGateway:
        # an address is given to what the internet gateway leads to: it must be there first, and go last
        after_gateway = pulumi.ResourceOptions.merge(self.inside, pulumi.ResourceOptions(depends_on=[self._gateway]))
        address = aws.ec2.Eip(
            self.called("nat-address"), domain="vpc", tags=self.tags("nat-address"), opts=after_gateway
        )
        return aws.ec2.NatGateway(
            self.called("nat"),
            allocation_id=address.id,
            subnet_id=public.id,
            tags=self.tags("nat"),
            opts=after_gateway,
        )

    def _route_table(self, purpose: str) -> aws.ec2.RouteTable:
        return aws.ec2.RouteTable(self.called(purpose), vpc_id=self._vpc.id, tags=self.tags(purpose), opts=self.inside)

    def _subnet(
        self, which: str, cidr: IPv4Network, zone: int, routes: aws.ec2.RouteTable, *, public: bool
    ) -> aws.ec2.Subnet:
        purpose = f"subnet-{which}"
        subnet = aws.ec2.Subnet(
            self.called(purpose),
            vpc_id=self._vpc.id,
            cidr_block=str(cidr),
            availability_zone=self._zones[zone],
            map_public_ip_on_launch=public,
            tags=self.tags(purpose),
            opts=self.inside,
        )
        aws.ec2.RouteTableAssociation(
            self.called(f"{purpose}-routes"), subnet_id=subnet.id, route_table_id=routes.id, opts=self.inside
        )
        return subnet


@dataclass(frozen=True)
class GivenNetworkArgs:
    """A VPC that is there, its subnets for hosts, and the one with a way out: the first of them where none is named."""

    vpc_id: str
    subnet_ids: tuple[str, ...]
    build_subnet_id: str | None
    labels: Labels


class GivenNetwork(Component):
    """A VPC that others manage: looked up, never changed."""

    vpc_id: pulumi.Output[str]
    cidr: pulumi.Output[str]
    subnet_ids: Sequence[pulumi.Output[str]]
    build_subnet_id: pulumi.Output[str]

    def __init__(self, name: str, args: GivenNetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("GivenNetwork", name, args.labels, opts)
        if not args.subnet_ids:
            hint = "name the subnets of that VPC in which hosts may be"
            raise AskedWrongly("infra.network.subnet_ids is empty", hint=hint)
        vpc = aws.ec2.get_vpc_output(id=args.vpc_id, opts=pulumi.InvokeOptions(parent=self))
        self.vpc_id = vpc.id
        self.cidr = vpc.cidr_block
        self.subnet_ids = [pulumi.Output.from_input(subnet) for subnet in args.subnet_ids]
        self.build_subnet_id = pulumi.Output.from_input(args.build_subnet_id or args.subnet_ids[0])
        self.register_outputs(
            {
                "vpcId": self.vpc_id,
                "cidr": self.cidr,
                "subnetIds": self.subnet_ids,
                "buildSubnetId": self.build_subnet_id,
            }
        )


class DefaultNetwork(Component):
    """The account's default VPC with its default subnets, which are public: looked up, never changed."""

    vpc_id: pulumi.Output[str]
    cidr: pulumi.Output[str]
    subnet_ids: Sequence[pulumi.Output[str]]
    build_subnet_id: pulumi.Output[str]

    def __init__(self, name: str, labels: Labels, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises AskedWrongly where the default VPC has no default subnet."""
        super().__init__("DefaultNetwork", name, labels, opts)
        # asked at once, not as outputs: the number of subnets decides what is declared in them
        asking = pulumi.InvokeOptions(parent=self)
        vpc = aws.ec2.get_vpc(default=True, opts=asking)
        subnets = sorted(aws.ec2.get_subnets(filters=_default_subnets(vpc.id), opts=asking).ids)
        if not subnets:
            hint = "write infra.network.vpc: own, or make one: aws ec2 create-default-subnet --availability-zone ZONE"
            raise AskedWrongly(f"the default VPC {vpc.id} has no default subnet", hint=hint)
        self.vpc_id = pulumi.Output.from_input(vpc.id)
        self.cidr = pulumi.Output.from_input(vpc.cidr_block)
        self.subnet_ids = [pulumi.Output.from_input(subnet) for subnet in subnets]
        self.build_subnet_id = self.subnet_ids[0]
        self.register_outputs(
            {
                "vpcId": self.vpc_id,
                "cidr": self.cidr,
                "subnetIds": self.subnet_ids,
                "buildSubnetId": self.build_subnet_id,
            }
        )


def _default_subnets(vpc_id: str) -> list[aws.ec2.GetSubnetsFilterArgs]:
    return [
        aws.ec2.GetSubnetsFilterArgs(name="vpc-id", values=[vpc_id]),
        aws.ec2.GetSubnetsFilterArgs(name="default-for-az", values=["true"]),
    ]


def _first_zones(count: int, region: str, asking: pulumi.Resource) -> pulumi.Output[Sequence[str]]:
    """Ask for the first zones of the region, local and wavelength zones aside."""
    found = aws.get_availability_zones_output(
        state="available",
        filters=[{"name": "opt-in-status", "values": ["opt-in-not-required"]}],
        opts=pulumi.InvokeOptions(parent=asking),
    )

    def first(names: Sequence[str]) -> Sequence[str]:
        if len(names) < count:
            raise pulumi.RunError(
                f"{region} has {len(names)} availability zones; write infra.network.availability_zones: {len(names)}"
            )
        return sorted(names)[:count]

    return found.names.apply(first)
