"""Answer what a program asks of AWS before it declares anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from contracts.errors import CloudError
from localcloud.deployer.connection import Connection
from localcloud.deployer.shapes import pascal
from localcloud.deployer.wire import Properties


@dataclass(frozen=True, slots=True)
class Asked:
    """A function call; `arguments` are named as Pulumi's providers name them."""

    region: str
    arguments: Mapping[str, Any]
    connection: Connection

    def client(self, service: str) -> Any:
        return self.connection.client(service, self.region)

    def filters(self) -> list[dict[str, Any]]:
        """EC2's filters, with the tags that are asked for among them."""
        named: list[dict[str, Any]] = pascal(self.arguments.get("filters", []))
        tags = self.arguments.get("tags", {})
        return named + [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]


Lookup = Callable[[Asked], Properties]


def _availability_zones(asked: Asked) -> Properties:
    filters = asked.filters()
    if "state" in asked.arguments:
        filters.append({"Name": "state", "Values": [asked.arguments["state"]]})
    zones = asked.client("ec2").describe_availability_zones(Filters=filters)["AvailabilityZones"]
    ids = [zone["ZoneId"] for zone in zones]
    names = [zone["ZoneName"] for zone in zones]
    return Properties({"id": asked.region, "names": names, "zoneIds": ids, "groupNames": []})


def _vpc(asked: Asked) -> Properties:
    arguments, filters = asked.arguments, asked.filters()
    if "default" in arguments:
        filters.append({"Name": "is-default", "Values": [str(arguments["default"]).lower()]})
    if "id" in arguments:
        filters.append({"Name": "vpc-id", "Values": [arguments["id"]]})
    found = asked.client("ec2").describe_vpcs(Filters=filters)["Vpcs"]
    if len(found) != 1:
        hint = "infra.network.vpc: own needs none"
        raise CloudError(f"{len(found)} VPCs match {dict(arguments)}, one was expected", hint=hint)
    ranges = [
        {"associationId": each["AssociationId"], "cidrBlock": each["CidrBlock"], "state": "associated"}
        for each in found[0].get("CidrBlockAssociationSet", [])
    ]
    return Properties(
        {
            "id": found[0]["VpcId"],
            "cidrBlock": found[0]["CidrBlock"],
            "cidrBlockAssociations": ranges,
            "default": found[0]["IsDefault"],
            "state": found[0]["State"],
        }
    )


def _subnets(asked: Asked) -> Properties:
    found = asked.client("ec2").describe_subnets(Filters=asked.filters())["Subnets"]
    return Properties({"id": asked.region, "ids": [subnet["SubnetId"] for subnet in found]})


def _subnet(asked: Asked) -> Properties:
    arguments, filters = asked.arguments, asked.filters()
    if "id" in arguments:
        filters.append({"Name": "subnet-id", "Values": [arguments["id"]]})
    found = asked.client("ec2").describe_subnets(Filters=filters)["Subnets"]
    if len(found) != 1:
        hint = "infra.network.subnet_ids names those of the VPC"
        raise CloudError(f"{len(found)} subnets match {dict(arguments)}, one was expected", hint=hint)
    return Properties(
        {
            "id": found[0]["SubnetId"],
            "vpcId": found[0]["VpcId"],
            "cidrBlock": found[0]["CidrBlock"],
            "availabilityZone": found[0]["AvailabilityZone"],
            "mapPublicIpOnLaunch": found[0]["MapPublicIpOnLaunch"],
        }
    )


def _ami_ids(asked: Asked) -> Properties:
    """The ids of matching images, newest first unless asked otherwise."""
    arguments = asked.arguments
    found = asked.client("ec2").describe_images(Owners=arguments["owners"], Filters=asked.filters())["Images"]
    if pattern := arguments.get("nameRegex"):
        found = [image for image in found if re.search(pattern, image.get("Name", ""))]
    oldest_first = arguments.get("sortAscending", False)
    found.sort(key=lambda image: (image["CreationDate"], image["ImageId"]), reverse=not oldest_first)
    return Properties({"id": asked.region, "ids": [image["ImageId"] for image in found]})


def _parameter(asked: Asked) -> Properties:
    name = asked.arguments["name"]
    try:
        found = asked.client("ssm").get_parameter(Name=name, WithDecryption=True)["Parameter"]
    except ClientError as error:
        hint = "it has the public parameters of the images it starts with, and what builds have published"
        raise CloudError(f"the local cloud has no parameter {name}: {error}", hint=hint) from error
    values = {"id": name, "arn": found["ARN"], "type": found["Type"], "version": found["Version"]}
    if found["Type"] == "SecureString":
        return Properties({**values, "value": found["Value"]}, frozenset({"value"}))
    return Properties({**values, "value": found["Value"], "insecureValue": found["Value"]})


def _caller(asked: Asked) -> Properties:
    found = asked.client("sts").get_caller_identity()
    account = found["Account"]
    return Properties({"id": account, "accountId": account, "arn": found["Arn"], "userId": found["UserId"]})


LOOKUPS: dict[str, Lookup] = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": _availability_zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:ec2/getAmiIds:getAmiIds": _ami_ids,
    "aws:ec2/getSubnet:getSubnet": _subnet,
    "aws:ec2/getSubnets:getSubnets": _subnets,
    "aws:ec2/getVpc:getVpc": _vpc,
    "aws:ssm/getParameter:getParameter": _parameter,
}
