"""Tell which types of resources the program declares for an event, by Pulumi's tokens."""

from __future__ import annotations

from contracts.event import EventConfig
from contracts.infra import Access
from infra import image_sources
from infra.permissions import service_rules
from infra.preflight.machines import uses_spot

_ALWAYS = (
    "aws:ec2/launchTemplate:LaunchTemplate",
    "aws:ec2/securityGroup:SecurityGroup",
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    *service_rules.ROLES,
    *service_rules.BUILDS,
    *service_rules.LOGS,
)
_OWN_NETWORK = (
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
    "aws:ec2/internetGateway:InternetGateway",
    "aws:ec2/route:Route",
    "aws:ec2/routeTable:RouteTable",
    "aws:ec2/routeTableAssociation:RouteTableAssociation",
    "aws:ec2/subnet:Subnet",
    "aws:ec2/vpc:Vpc",
    "aws:ec2/vpcEndpoint:VpcEndpoint",
    "aws:index/getAvailabilityZones:getAvailabilityZones",
)
_NETWORK_THERE = ("aws:ec2/getSubnet:getSubnet", "aws:ec2/getSubnets:getSubnets", "aws:ec2/getVpc:getVpc")
_BUCKET = tuple(token for token in service_rules.STORAGE if token.startswith("aws:s3/"))
_FILES = tuple(token for token in service_rules.STORAGE if token.startswith("aws:efs/"))
_LEGACY_FLEET = ("aws:ec2/spotFleetRequest:SpotFleetRequest",)


def tokens_of(event: EventConfig) -> tuple[str, ...]:
    """Every type the event may ever need: also of what waits for its image. Raises KitInvalid.

    What an option takes away again is not among them: who removes the option must still have its permissions.
    """
    infra, network = event.infra, event.infra.network
    has_fleet = infra.fleet is not None and infra.fleet.kind == "ec2-fleet"
    has_bucket = infra.storage.bucket or image_sources.of_event(event).needs_bucket
    wanted: tuple[tuple[bool, tuple[str, ...]], ...] = (
        (True, _ALWAYS),
        (network.vpc == "own", _OWN_NETWORK),
        (network.vpc != "own", _NETWORK_THERE),
        (network.nat, ("aws:ec2/eip:Eip", "aws:ec2/natGateway:NatGateway")),
        (network.flow_logs, ("aws:ec2/flowLog:FlowLog", "aws:index/getCallerIdentity:getCallerIdentity")),
        (event.worker.key_name is None, ("aws:ec2/keyPair:KeyPair",)),
        (infra.access is Access.EICE, ("aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint",)),
        (infra.access is Access.GATEWAY or infra.dask is not None, ("aws:ec2/instance:Instance",)),
        (infra.access is Access.GATEWAY, ("aws:ssm/getParameter:getParameter",)),
        (has_fleet or infra.dask is not None, ("aws:ec2/fleet:Fleet", "aws:ec2/getAmiIds:getAmiIds")),
        (infra.fleet is not None and not has_fleet, (*_LEGACY_FLEET, "aws:ec2/getAmiIds:getAmiIds")),
        (uses_spot(event), tuple(service_rules.INTERRUPTIONS)),
        (has_bucket, _BUCKET),
        (infra.storage.efs, _FILES),
        (bool(infra.secrets), tuple(service_rules.SECRETS)),
        (infra.budget is not None, tuple(service_rules.BUDGETS)),
    )
    return tuple(dict.fromkeys(token for is_wanted, tokens in wanted if is_wanted for token in tokens))
