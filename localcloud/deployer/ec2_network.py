"""Make the networks of EC2: VPCs, subnets, gateways, routes."""

from __future__ import annotations

from localcloud.deployer.handler import Created, Handler, Made, Wanted, or_undone
from localcloud.deployer.shapes import chosen, tag_specifications

_WAYS = ("gatewayId", "natGatewayId", "networkInterfaceId", "vpcEndpointId")
"""Where a route leads."""


def _create_vpc(wanted: Wanted) -> Created:
    ec2 = wanted.client("ec2")
    answer = ec2.create_vpc(CidrBlock=wanted.inputs["cidrBlock"], TagSpecifications=tag_specifications(wanted, "vpc"))
    vpc = answer["Vpc"]["VpcId"]
    with or_undone(lambda: ec2.delete_vpc(VpcId=vpc)):
        for name, attribute in (("enableDnsSupport", "EnableDnsSupport"), ("enableDnsHostnames", "EnableDnsHostnames")):
            if name in wanted.inputs:
                ec2.modify_vpc_attribute(VpcId=vpc, **{attribute: {"Value": wanted.inputs[name]}})
    return Created(vpc, {"ownerId": answer["Vpc"].get("OwnerId", "")})


def _create_gateway(wanted: Wanted) -> Created:
    ec2 = wanted.client("ec2")
    answer = ec2.create_internet_gateway(TagSpecifications=tag_specifications(wanted, "internet-gateway"))
    gateway = answer["InternetGateway"]["InternetGatewayId"]
    with or_undone(lambda: ec2.delete_internet_gateway(InternetGatewayId=gateway)):
        ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=wanted.inputs["vpcId"])
    return Created(gateway, {})


def _delete_gateway(made: Made) -> None:
    ec2 = made.client("ec2")
    ec2.detach_internet_gateway(InternetGatewayId=made.id, VpcId=made.inputs["vpcId"])
    ec2.delete_internet_gateway(InternetGatewayId=made.id)


def _create_subnet(wanted: Wanted) -> Created:
    ec2 = wanted.client("ec2")
    answer = ec2.create_subnet(
        VpcId=wanted.inputs["vpcId"],
        CidrBlock=wanted.inputs["cidrBlock"],
        AvailabilityZone=wanted.inputs["availabilityZone"],
        TagSpecifications=tag_specifications(wanted, "subnet"),
    )
    subnet = answer["Subnet"]["SubnetId"]
    public = wanted.inputs.get("mapPublicIpOnLaunch", False)
    with or_undone(lambda: ec2.delete_subnet(SubnetId=subnet)):
        ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": public})
    return Created(subnet, {})


def _create_route_table(wanted: Wanted) -> Created:
    answer = wanted.client("ec2").create_route_table(
        VpcId=wanted.inputs["vpcId"], TagSpecifications=tag_specifications(wanted, "route-table")
    )
    return Created(answer["RouteTable"]["RouteTableId"], {})


def _create_route(wanted: Wanted) -> Created:
    table, destination = wanted.inputs["routeTableId"], wanted.inputs["destinationCidrBlock"]
    way = chosen(wanted.inputs, *_WAYS)
    wanted.client("ec2").create_route(RouteTableId=table, DestinationCidrBlock=destination, **way)
    return Created(f"{table}_{destination}", {})


def _find_route(made: Made) -> bool:
    tables = made.client("ec2").describe_route_tables(RouteTableIds=[made.inputs["routeTableId"]])["RouteTables"]
    destinations = [route.get("DestinationCidrBlock") for table in tables for route in table["Routes"]]
    return made.inputs["destinationCidrBlock"] in destinations


def _create_association(wanted: Wanted) -> Created:
    answer = wanted.client("ec2").associate_route_table(
        RouteTableId=wanted.inputs["routeTableId"], SubnetId=wanted.inputs["subnetId"]
    )
    return Created(answer["AssociationId"], {})


def _find_association(made: Made) -> bool:
    tables = made.client("ec2").describe_route_tables(RouteTableIds=[made.inputs["routeTableId"]])["RouteTables"]
    return made.id in [
        association.get("RouteTableAssociationId") for table in tables for association in table["Associations"]
    ]


HANDLERS = {
    "aws:ec2/vpc:Vpc": Handler(
        _create_vpc,
        lambda made: made.client("ec2").describe_vpcs(VpcIds=[made.id]),
        lambda made: made.client("ec2").delete_vpc(VpcId=made.id),
    ),
    "aws:ec2/internetGateway:InternetGateway": Handler(
        _create_gateway,
        lambda made: made.client("ec2").describe_internet_gateways(InternetGatewayIds=[made.id]),
        _delete_gateway,
        joins=True,
    ),
    "aws:ec2/subnet:Subnet": Handler(
        _create_subnet,
        lambda made: made.client("ec2").describe_subnets(SubnetIds=[made.id]),
        lambda made: made.client("ec2").delete_subnet(SubnetId=made.id),
        joins=True,  # its range cannot overlap with its successor's
    ),
    "aws:ec2/routeTable:RouteTable": Handler(
        _create_route_table,
        lambda made: made.client("ec2").describe_route_tables(RouteTableIds=[made.id]),
        lambda made: made.client("ec2").delete_route_table(RouteTableId=made.id),
    ),
    "aws:ec2/route:Route": Handler(
        _create_route,
        _find_route,
        lambda made: made.client("ec2").delete_route(
            RouteTableId=made.inputs["routeTableId"], DestinationCidrBlock=made.inputs["destinationCidrBlock"]
        ),
        joins=True,
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": Handler(
        _create_association,
        _find_association,
        lambda made: made.client("ec2").disassociate_route_table(AssociationId=made.id),
        joins=True,
    ),
}
