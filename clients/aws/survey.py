"""Ask an AWS account for what an event needs of it, changing nothing."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from ipaddress import IPv4Network
from typing import Any

from clients.aws import images
from clients.aws.account import has_key_pair
from clients.aws.session import client_of, translated
from contracts.errors import CloudError
from contracts.survey import BaseImage, Caller, EncryptionKey, MachineType, RouteTable, SpotPrice, Subnet, Vpc

_FIRST_REGIONS = (("cn-", "cn-north-1"), ("us-gov-", "us-gov-west-1"))
_WORLD = "0.0.0.0/0"
_LINUX = "Linux/UNIX"
_PRICED = {
    "operatingSystem": "Linux",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
    "marketoption": "OnDemand",
}
"""What tells a plain Linux machine from the other price lists of the same type."""


def first_region(region: str) -> str:
    """The region of the same partition that is enabled in every account, and has billing's services."""
    return next((first for prefix, first in _FIRST_REGIONS if region.startswith(prefix)), "us-east-1")


class AwsSurvey:
    """The account behind a session, in the session's region; `now` is when spot prices are asked for.

    Every verb is one kind of read-only call, over all its pages, and raises CloudError.
    """

    def __init__(self, session: Any, *, now: datetime) -> None:
        self._session = session
        self._now = now
        self._region = str(session.region_name)
        self._first = first_region(self._region)
        self._clients: dict[tuple[str, str], Any] = {}

    def caller(self) -> Caller:
        with translated("ask who we are"):
            answer = self._client("sts", self._first).get_caller_identity()
        return Caller(account=answer["Account"], arn=answer["Arn"])

    def region_status(self) -> str:
        # a region that is not enabled does not take our credentials: another one is asked
        with translated("list the regions"):
            answer = self._client("ec2", self._first).describe_regions(
                AllRegions=True, Filters=[{"Name": "region-name", "Values": [self._region]}]
            )
        return next((str(one["OptInStatus"]) for one in answer["Regions"] if one["RegionName"] == self._region), "")

    def zones(self) -> tuple[str, ...]:
        filters = {"state": ["available"], "opt-in-status": ["opt-in-not-required"]}
        with translated("list the availability zones"):
            answer = self._client("ec2").describe_availability_zones(Filters=_filters(filters))
        return tuple(sorted(one["ZoneName"] for one in answer["AvailabilityZones"]))

    def quota(self, code: str) -> float:
        with translated(f"look up the quota {code}"):
            quotas = self._client("service-quotas")
            return float(quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"])

    def machine_types(self, names: Collection[str]) -> Mapping[str, MachineType]:
        # by a filter: a name that does not exist would have the whole question refused otherwise
        found = self._pages("list instance types", "describe_instance_types", "InstanceTypes", {"instance-type": names})
        return {one["InstanceType"]: _machine_type(one) for one in found}

    def offers(self, names: Collection[str]) -> Mapping[str, frozenset[str]]:
        doing = "list where instance types are offered"
        by_type: dict[str, set[str]] = {}
        for one in self._pages(
            doing,
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            {"instance-type": names},
            LocationType="availability-zone",
        ):
            by_type.setdefault(one["InstanceType"], set()).add(one["Location"])
        return {name: frozenset(zones) for name, zones in by_type.items()}

    def parameter(self, name: str) -> str | None:
        try:
            with translated(f"read the parameter {name}"):
                return str(self._client("ssm").get_parameter(Name=name)["Parameter"]["Value"])
        except CloudError as error:
            if error.code == "ParameterNotFound":
                return None
            raise

    def image(self, image_id: str) -> BaseImage | None:
        return images.base_image(self._session, image_id)

    def has_built_image(self, arn: str) -> bool:
        try:
            with translated(f"look up the image {arn}"):
                self._client("imagebuilder").get_image(imageBuildVersionArn=arn)
        except CloudError as error:
            if error.code == "ResourceNotFoundException":
                return False
            raise
        return True

    def key(self, arn: str) -> EncryptionKey | None:
        try:
            with translated(f"look up the key {arn}"):
                found = self._client("kms").describe_key(KeyId=arn)["KeyMetadata"]
        except CloudError as error:
            if error.code == "NotFoundException":
                return None
            raise
        return EncryptionKey(
            state=found["KeyState"],
            is_own=found.get("KeyManager") == "CUSTOMER",
            encrypts=(found.get("KeyUsage"), found.get("KeySpec")) == ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"),
        )

    def holds(self, address: str) -> bool:
        bucket, _, key = address.removeprefix("s3://").partition("/")
        try:
            with translated(f"look for {address}"):
                found = self._client("s3").list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        except CloudError as error:
            if error.code == "NoSuchBucket":
                return False
            raise
        # names that only begin like the object's come after it
        return any(key.endswith("/") or one["Key"] == key for one in found)

    def has_key_pair(self, name: str) -> bool:
        return has_key_pair(self._session, name)

    def vpcs(self) -> tuple[Vpc, ...]:
        return tuple(_vpc(one) for one in self._pages("list the VPCs", "describe_vpcs", "Vpcs", {}))

    def subnets(self, vpc_id: str) -> tuple[Subnet, ...]:
        found = self._pages("list the subnets", "describe_subnets", "Subnets", {"vpc-id": [vpc_id]})
        return tuple(_subnet(one) for one in found)

    def route_tables(self, vpc_id: str) -> tuple[RouteTable, ...]:
        found = self._pages("list the route tables", "describe_route_tables", "RouteTables", {"vpc-id": [vpc_id]})
        return tuple(_route_table(one, vpc_id) for one in found)

    def has_role(self, name: str) -> bool:
        try:
            with translated(f"look up the role {name}"):
                self._client("iam").get_role(RoleName=name)
        except CloudError as error:
            if error.code in ("NoSuchEntity", "NoSuchEntityException"):
                return False
            raise
        return True

    def cost_tag_status(self, key: str) -> str:
        with translated("look up the cost-allocation tag"):
            billing = self._client("ce", self._first)
            found = billing.list_cost_allocation_tags(TagKeys=[key])["CostAllocationTags"]
        return next((str(one["Status"]) for one in found if one["TagKey"] == key), "")

    def spot_prices(self, names: Collection[str]) -> tuple[SpotPrice, ...]:
        # from now on: the price that holds now, which is the newest of each zone
        found = self._pages(
            "list spot prices",
            "describe_spot_price_history",
            "SpotPriceHistory",
            {},
            InstanceTypes=sorted(names),
            ProductDescriptions=[_LINUX],
            StartTime=self._now,
        )
        newest: dict[tuple[str, str], SpotPrice] = {}
        for price in map(_spot_price, found):
            place = (price.instance_type, price.zone)
            if place not in newest or newest[place].since < price.since:
                newest[place] = price
        return tuple(newest.values())

    def on_demand_prices(self, names: Collection[str]) -> Mapping[str, float]:
        prices: dict[str, float] = {}
        for name in names:  # the price list takes one value of a field at a time
            fields = {**_PRICED, "regionCode": self._region, "instanceType": name}
            wanted = [{"Field": key, "Type": "TERM_MATCH", "Value": value} for key, value in fields.items()]
            with translated("ask for on-demand prices"):
                pricing = self._client("pricing", self._first)
                for page in pricing.get_paginator("get_products").paginate(ServiceCode="AmazonEC2", Filters=wanted):
                    for text in page["PriceList"]:
                        prices.update(_on_demand_price(json.loads(text)))
        return prices

    def _pages(
        self, doing: str, verb: str, key: str, filters: Mapping[str, Collection[str]], **query: Any
    ) -> Iterator[Mapping[str, Any]]:
        asked = {**query, "Filters": _filters(filters)} if filters else query
        with translated(doing):
            for page in self._client("ec2").get_paginator(verb).paginate(**asked):
                yield from page[key]

    def _client(self, service: str, region: str = "") -> Any:
        """Opened once: reading a service's model takes most of the time of a question."""
        place = (service, region or self._region)
        if place not in self._clients:
            self._clients[place] = client_of(self._session, service, region=place[1])
        return self._clients[place]


def _filters(wanted: Mapping[str, Collection[str]]) -> list[dict[str, Any]]:
    return [{"Name": name, "Values": list(values)} for name, values in wanted.items()]


def _machine_type(found: Mapping[str, Any]) -> MachineType:
    return MachineType(
        name=found["InstanceType"],
        vcpus=found["VCpuInfo"]["DefaultVCpus"],
        architectures=frozenset(found["ProcessorInfo"]["SupportedArchitectures"]),
        has_nvidia_gpu=any(gpu.get("Manufacturer") == "NVIDIA" for gpu in found.get("GpuInfo", {}).get("Gpus", [])),
    )


def _vpc(found: Mapping[str, Any]) -> Vpc:
    associated = [one["CidrBlock"] for one in found.get("CidrBlockAssociationSet", [])] or [found["CidrBlock"]]
    return Vpc(
        vpc_id=found["VpcId"],
        cidrs=tuple(IPv4Network(cidr) for cidr in associated),
        is_default=found.get("IsDefault", False),
        tags={tag["Key"]: tag["Value"] for tag in found.get("Tags", [])},
    )


def _subnet(found: Mapping[str, Any]) -> Subnet:
    return Subnet(
        subnet_id=found["SubnetId"],
        vpc_id=found["VpcId"],
        zone=found["AvailabilityZone"],
        gives_addresses=found.get("MapPublicIpOnLaunch", False),
        is_default=found.get("DefaultForAz", False),
    )


def _route_table(found: Mapping[str, Any], vpc_id: str) -> RouteTable:
    associations = found.get("Associations", [])
    out: Mapping[str, Any] = next(
        (route for route in found.get("Routes", []) if route.get("DestinationCidrBlock") == _WORLD), {}
    )
    targets = ("GatewayId", "NatGatewayId", "TransitGatewayId", "VpcPeeringConnectionId", "NetworkInterfaceId")
    return RouteTable(
        vpc_id=vpc_id,
        is_main=any(one.get("Main") for one in associations),
        subnet_ids=tuple(one["SubnetId"] for one in associations if "SubnetId" in one),
        way_out=next((out[key] for key in targets if out.get(key)), "somewhere" if out else ""),
        is_broken=out.get("State") == "blackhole",
    )


def _spot_price(found: Mapping[str, Any]) -> SpotPrice:
    return SpotPrice(found["InstanceType"], found["AvailabilityZone"], float(found["SpotPrice"]), found["Timestamp"])


def _on_demand_price(product: Mapping[str, Any]) -> dict[str, float]:
    """The price by the hour that a product's on-demand terms state in dollars, if they do."""
    name = product.get("product", {}).get("attributes", {}).get("instanceType", "")
    for term in product.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term.get("priceDimensions", {}).values():
            usd = float(dimension.get("pricePerUnit", {}).get("USD", 0))
            if name and dimension.get("unit") == "Hrs" and usd > 0:
                return {name: usd}
    return {}
