"""Answer what a program asks of AWS before it declares anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contracts.errors import CloudError
from localcloud.deployer.shapes import pascal

Lookup = Callable[[Any, Mapping[str, Any]], dict[str, Any]]
"""Given an EC2 client and the call's arguments, gives its answer."""


def _availability_zones(ec2: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    filters = pascal(arguments.get("filters", []))
    if "state" in arguments:
        filters.append({"Name": "state", "Values": [arguments["state"]]})
    zones = ec2.describe_availability_zones(Filters=filters)["AvailabilityZones"]
    names = [zone["ZoneName"] for zone in zones]
    return {"id": ec2.meta.region_name, "names": names, "zoneIds": [zone["ZoneId"] for zone in zones], "groupNames": []}


def _vpc(ec2: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    filters = pascal(arguments.get("filters", []))
    if "default" in arguments:
        filters.append({"Name": "is-default", "Values": [str(arguments["default"]).lower()]})
    if "id" in arguments:
        filters.append({"Name": "vpc-id", "Values": [arguments["id"]]})
    found = ec2.describe_vpcs(Filters=filters)["Vpcs"]
    if len(found) != 1:
        hint = "infra.network.vpc: own needs none"
        raise CloudError(f"{len(found)} VPCs match {dict(arguments)}, one was expected", hint=hint)
    return {"id": found[0]["VpcId"], "cidrBlock": found[0]["CidrBlock"], "default": found[0]["IsDefault"]}


def _subnets(ec2: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    found = ec2.describe_subnets(Filters=pascal(arguments.get("filters", [])))["Subnets"]
    return {"id": ec2.meta.region_name, "ids": [subnet["SubnetId"] for subnet in found]}


LOOKUPS: dict[str, Lookup] = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": _availability_zones,
    "aws:ec2/getVpc:getVpc": _vpc,
    "aws:ec2/getSubnets:getSubnets": _subnets,
}
