"""What deploying each type of EC2 takes, by Pulumi's token."""

from __future__ import annotations

from infra.permissions.rules import (
    Kind,
    Rule,
    change,
    create,
    launch,
    look,
    named,
    open_with,
    pass_role,
    stand_in,
)

_SECURITY_GROUP_RULES = (
    look("ec2", "DescribeSecurityGroupRules", "DescribeSecurityGroups"),
    change("security-group security-group-rule", "ModifySecurityGroupRules"),
)

MACHINES: tuple[Rule, ...] = (
    create("instance", "RunInstances"),
    stand_in("subnet", "RunInstances"),
    open_with("RunInstances"),
    change("security-group launch-template", "RunInstances"),
    launch("image network-interface volume", "RunInstances"),
    look("ec2", "DescribeImages", "DescribeInstances"),
)
"""What starting a machine takes, and a fleet of them."""

FLEET: tuple[Rule, ...] = (
    *MACHINES,
    change("launch-template", "CreateFleet"),
    stand_in("subnet", "CreateFleet"),
    launch("image instance volume", "CreateFleet"),
    look("ec2", "DescribeFleets"),
)

NETWORK: dict[str, tuple[Rule, ...]] = {
    "aws:ec2/vpc:Vpc": (
        create("vpc", "CreateVpc"),
        change("vpc", "DeleteVpc", "DescribeVpcAttribute", "ModifyVpcAttribute"),
        look("ec2", "DescribeNetworkAcls", "DescribeRouteTables", "DescribeSecurityGroups", "DescribeVpcs"),
    ),
    # it comes with the VPC, without a tag: it is closed, and gets one
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": (
        named(Kind.CLAIM, "ec2", ("security-group/*",), "CreateTags"),
        named(Kind.CLOSE, "ec2", ("security-group/*",), "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress"),
        change("security-group", "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress"),
        look("ec2", "DescribeSecurityGroups", "DescribeVpcs"),
    ),
    "aws:ec2/internetGateway:InternetGateway": (
        create("internet-gateway", "CreateInternetGateway"),
        change("internet-gateway", "DeleteInternetGateway"),
        change("internet-gateway vpc", "AttachInternetGateway", "DetachInternetGateway"),
        look("ec2", "DescribeInternetGateways"),
    ),
    "aws:ec2/routeTable:RouteTable": (
        create("route-table", "CreateRouteTable"),
        change("vpc", "CreateRouteTable"),
        change("route-table", "DeleteRouteTable"),
        look("ec2", "DescribeRouteTables"),
    ),
    "aws:ec2/route:Route": (
        change("route-table", "CreateRoute", "DeleteRoute", "ReplaceRoute"),
        look("ec2", "DescribeRouteTables"),
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": (
        change("route-table subnet", "AssociateRouteTable", "DisassociateRouteTable", "ReplaceRouteTableAssociation"),
        look("ec2", "DescribeRouteTables"),
    ),
    "aws:ec2/subnet:Subnet": (
        create("subnet", "CreateSubnet"),
        change("vpc", "CreateSubnet"),
        change("subnet", "DeleteSubnet", "ModifySubnetAttribute"),
        look("ec2", "DescribeNetworkInterfaces", "DescribeSubnets"),
    ),
    "aws:ec2/eip:Eip": (
        create("elastic-ip", "AllocateAddress"),
        change("elastic-ip", "DisassociateAddress", "ReleaseAddress"),
        look("ec2", "DescribeAddresses", "DescribeAddressesAttribute"),
    ),
    "aws:ec2/natGateway:NatGateway": (
        create("natgateway", "CreateNatGateway"),
        change("elastic-ip subnet vpc", "CreateNatGateway"),
        change("natgateway", "DeleteNatGateway"),
        look("ec2", "DescribeNatGateways"),
    ),
    "aws:ec2/vpcEndpoint:VpcEndpoint": (
        create("vpc-endpoint", "CreateVpcEndpoint"),
        change("route-table security-group subnet vpc", "CreateVpcEndpoint"),
        change("route-table security-group subnet vpc-endpoint", "ModifyVpcEndpoint"),
        change("vpc-endpoint", "DeleteVpcEndpoints"),
        look("ec2", "DescribePrefixLists", "DescribeVpcEndpoints"),
    ),
    "aws:ec2/flowLog:FlowLog": (
        create("vpc-flow-log", "CreateFlowLogs"),
        stand_in("vpc", "CreateFlowLogs"),
        change("vpc-flow-log", "DeleteFlowLogs"),
        look("ec2", "DescribeFlowLogs"),
        pass_role("vpc-flow-logs.amazonaws.com"),
    ),
}

ACCESS: dict[str, tuple[Rule, ...]] = {
    "aws:ec2/keyPair:KeyPair": (
        create("key-pair", "ImportKeyPair"),
        change("key-pair", "DeleteKeyPair"),
        look("ec2", "DescribeKeyPairs"),
    ),
    "aws:ec2/securityGroup:SecurityGroup": (
        create("security-group", "CreateSecurityGroup"),
        stand_in("vpc", "CreateSecurityGroup"),
        change("security-group", "DeleteSecurityGroup", "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress"),
        look("ec2", "DescribeNetworkInterfaces", "DescribeSecurityGroups"),
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": (
        create("security-group-rule", "AuthorizeSecurityGroupIngress"),
        change("security-group", "AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress"),
        *_SECURITY_GROUP_RULES,
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": (
        create("security-group-rule", "AuthorizeSecurityGroupEgress"),
        change("security-group", "AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress"),
        *_SECURITY_GROUP_RULES,
    ),
    "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint": (
        create("instance-connect-endpoint", "CreateInstanceConnectEndpoint"),
        stand_in("subnet", "CreateInstanceConnectEndpoint"),
        change("security-group", "CreateInstanceConnectEndpoint"),
        change("instance-connect-endpoint", "DeleteInstanceConnectEndpoint"),
        look("ec2", "DescribeInstanceConnectEndpoints"),
    ),
}

LAUNCHES: dict[str, tuple[Rule, ...]] = {
    "aws:ec2/launchTemplate:LaunchTemplate": (
        create("launch-template", "CreateLaunchTemplate"),
        change(
            "launch-template",
            "CreateLaunchTemplateVersion",
            "DeleteLaunchTemplate",
            "DeleteLaunchTemplateVersions",
            "ModifyLaunchTemplate",
        ),
        look("ec2", "DescribeLaunchTemplateVersions", "DescribeLaunchTemplates"),
    ),
    "aws:ec2/instance:Instance": (
        *MACHINES,
        change(
            "instance",
            "DescribeInstanceAttribute",
            "ModifyInstanceAttribute",
            "ModifyInstanceMetadataOptions",
            "StartInstances",
            "StopInstances",
            "TerminateInstances",
        ),
        change("security-group volume", "ModifyInstanceAttribute"),
        look(
            "ec2",
            "DescribeInstanceCreditSpecifications",
            "DescribeInstanceTypes",
            "DescribeNetworkInterfaces",
            "DescribeTags",
            "DescribeVolumes",
        ),
    ),
    "aws:ec2/fleet:Fleet": (
        *FLEET,
        create("fleet", "CreateFleet"),
        change("fleet", "DeleteFleets", "DescribeFleetInstances"),
        change("fleet launch-template", "ModifyFleet"),
        stand_in("subnet", "ModifyFleet"),
    ),
    "aws:ec2/spotFleetRequest:SpotFleetRequest": (
        *MACHINES,
        create("spot-fleet-request", "RequestSpotFleet"),
        change("launch-template security-group", "RequestSpotFleet"),
        open_with("RequestSpotFleet"),
        stand_in("subnet", "RequestSpotFleet"),
        launch("image", "RequestSpotFleet"),
        change("spot-fleet-request", "CancelSpotFleetRequests", "DescribeSpotFleetInstances"),
        change("spot-fleet-request launch-template", "ModifySpotFleetRequest"),
        stand_in("subnet", "ModifySpotFleetRequest"),
        look("ec2", "DescribeSpotFleetRequests"),
        pass_role("spotfleet.amazonaws.com"),
    ),
}

LOOKUPS: dict[str, tuple[Rule, ...]] = {
    "aws:ec2/getAmiIds:getAmiIds": (look("ec2", "DescribeImages"),),
    "aws:ec2/getSubnet:getSubnet": (look("ec2", "DescribeSubnets"),),
    "aws:ec2/getSubnets:getSubnets": (look("ec2", "DescribeSubnets"),),
    "aws:ec2/getVpc:getVpc": (
        look("ec2", "DescribeRouteTables", "DescribeVpcs"),
        stand_in("vpc", "DescribeVpcAttribute"),
    ),
    "aws:index/getAvailabilityZones:getAvailabilityZones": (look("ec2", "DescribeAvailabilityZones"),),
    "aws:index/getCallerIdentity:getCallerIdentity": (),  # everybody may
    # which parameter is for the event's images to say
    "aws:ssm/getParameter:getParameter": (Rule(Kind.PARAMETERS, ("ssm:GetParameter",)),),
}

EFS_INTERFACES = named(
    Kind.MOUNT,
    "ec2",
    ("network-interface/*",),
    "CreateNetworkInterface",
    "DeleteNetworkInterface",
    "ModifyNetworkInterfaceAttribute",
)
"""EFS makes a mount target's interface in our name and does not tag it."""
