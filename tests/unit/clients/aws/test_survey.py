"""Questions about an account are read-only, over all pages, and asked where they are answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Network
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from clients.aws.survey import AwsSurvey, first_region
from contracts.errors import CloudError
from contracts.survey import BaseImage, Caller, EncryptionKey, MachineType, RouteTable, SpotPrice, Subnet, Vpc

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
REGION = "eu-west-3"
FIRST = "us-east-1"
KEY = "arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


class StubbedSession:
    """A session whose clients answer what a test told them; by service and region, made when first spoken of."""

    region_name = REGION

    def __init__(self) -> None:
        self.stubs: dict[tuple[str, str], Stubber] = {}

    def stub(self, service: str, region: str = REGION) -> Stubber:
        place = (service, region)
        if place not in self.stubs:
            client_of: Any = boto3.client  # typed for each service by its own name
            client = client_of(service, region_name=region, aws_access_key_id="t", aws_secret_access_key="t")
            self.stubs[place] = Stubber(client)
            self.stubs[place].activate()
        return self.stubs[place]

    def client(self, service: str, region_name: str | None = None, **_: Any) -> Any:
        return self.stub(service, region_name or REGION).client


@pytest.fixture
def session() -> Iterator[StubbedSession]:
    made = StubbedSession()
    yield made
    for stub in made.stubs.values():
        stub.assert_no_pending_responses()


@pytest.fixture
def survey(session: StubbedSession) -> AwsSurvey:
    return AwsSurvey(session, now=NOW)


def test_who_we_are_is_asked_where_every_account_may(session: StubbedSession, survey: AwsSurvey) -> None:
    answer = {"Account": "111122223333", "Arn": "arn:aws:iam::111122223333:user/me", "UserId": "AIDAEXAMPLE"}
    session.stub("sts", FIRST).add_response("get_caller_identity", answer, {})
    assert survey.caller() == Caller("111122223333", "arn:aws:iam::111122223333:user/me")


@pytest.mark.parametrize(
    ("region", "first"),
    [("eu-west-3", "us-east-1"), ("cn-northwest-1", "cn-north-1"), ("us-gov-east-1", "us-gov-west-1")],
)
def test_each_partition_has_a_region_that_is_always_enabled(region: str, first: str) -> None:
    assert first_region(region) == first


@pytest.mark.parametrize(
    ("regions", "status"), [([{"RegionName": REGION, "OptInStatus": "not-opted-in"}], "not-opted-in"), ([], "")]
)
def test_whether_the_region_is_enabled_is_asked_of_another_one(
    session: StubbedSession, survey: AwsSurvey, regions: list[dict[str, str]], status: str
) -> None:
    question = {"AllRegions": True, "Filters": [{"Name": "region-name", "Values": [REGION]}]}
    session.stub("ec2", FIRST).add_response("describe_regions", {"Regions": regions}, question)
    assert survey.region_status() == status


def test_zones_are_those_every_account_has(session: StubbedSession, survey: AwsSurvey) -> None:
    filters = [
        {"Name": "state", "Values": ["available"]},
        {"Name": "opt-in-status", "Values": ["opt-in-not-required"]},
    ]
    zones = [{"ZoneName": "eu-west-3b"}, {"ZoneName": "eu-west-3a"}]
    answer = {"AvailabilityZones": zones}
    session.stub("ec2").add_response("describe_availability_zones", answer, {"Filters": filters})
    assert survey.zones() == ("eu-west-3a", "eu-west-3b")


def test_a_quota_is_a_number(session: StubbedSession, survey: AwsSurvey) -> None:
    question = {"ServiceCode": "ec2", "QuotaCode": "L-1216C47A"}
    session.stub("service-quotas").add_response("get_service_quota", {"Quota": {"Value": 32.0}}, question)
    assert survey.quota("L-1216C47A") == 32.0


def test_types_that_do_not_exist_are_left_out_over_all_pages(session: StubbedSession, survey: AwsSurvey) -> None:
    question = {"Filters": [{"Name": "instance-type", "Values": ["t3.medium", "c7g.large", "t9.huge"]}]}
    first = {
        "InstanceType": "t3.medium",
        "VCpuInfo": {"DefaultVCpus": 2},
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
    }
    second = {
        "InstanceType": "c7g.large",
        "VCpuInfo": {"DefaultVCpus": 2},
        "ProcessorInfo": {"SupportedArchitectures": ["arm64"]},
    }
    stub = session.stub("ec2")
    stub.add_response("describe_instance_types", {"InstanceTypes": [first], "NextToken": "t"}, question)
    stub.add_response("describe_instance_types", {"InstanceTypes": [second]}, {**question, "NextToken": "t"})
    assert survey.machine_types(["t3.medium", "c7g.large", "t9.huge"]) == {
        "t3.medium": MachineType("t3.medium", 2, frozenset({"x86_64"})),
        "c7g.large": MachineType("c7g.large", 2, frozenset({"arm64"})),
    }


@pytest.mark.parametrize(("maker", "has_one"), [("NVIDIA", True), ("AMD", False), (None, False)])
def test_a_type_tells_whether_it_has_a_gpu_of_nvidias(
    session: StubbedSession, survey: AwsSurvey, maker: str | None, has_one: bool
) -> None:
    described = {
        "InstanceType": "g4dn.xlarge",
        "VCpuInfo": {"DefaultVCpus": 4},
        "ProcessorInfo": {"SupportedArchitectures": ["x86_64"]},
        **({"GpuInfo": {"Gpus": [{"Manufacturer": maker}]}} if maker else {}),
    }
    session.stub("ec2").add_response("describe_instance_types", {"InstanceTypes": [described]})
    assert survey.machine_types(["g4dn.xlarge"])["g4dn.xlarge"].has_nvidia_gpu is has_one


def test_offers_are_zones_by_type(session: StubbedSession, survey: AwsSurvey) -> None:
    question = {
        "LocationType": "availability-zone",
        "Filters": [{"Name": "instance-type", "Values": ["t3.medium", "c7i.large"]}],
    }
    pairs = (("t3.medium", "a"), ("t3.medium", "b"), ("c7i.large", "b"))
    offerings = [{"InstanceType": name, "Location": f"eu-west-3{zone}"} for name, zone in pairs]
    answer = {"InstanceTypeOfferings": offerings}
    session.stub("ec2").add_response("describe_instance_type_offerings", answer, question)
    assert survey.offers(["t3.medium", "c7i.large"]) == {
        "t3.medium": frozenset({"eu-west-3a", "eu-west-3b"}),
        "c7i.large": frozenset({"eu-west-3b"}),
    }


def test_a_parameter_is_its_value_or_nothing(session: StubbedSession, survey: AwsSurvey) -> None:
    stub = session.stub("ssm")
    stub.add_response("get_parameter", {"Parameter": {"Value": "ami-1"}}, {"Name": "/image"})
    stub.add_client_error("get_parameter", "ParameterNotFound")
    assert survey.parameter("/image") == "ami-1"
    assert survey.parameter("/none") is None


def test_an_image_is_looked_up_by_its_id(session: StubbedSession, survey: AwsSurvey) -> None:
    image = {"ImageId": "ami-1", "Name": "ubuntu", "Architecture": "x86_64", "State": "available"}
    session.stub("ec2").add_response("describe_images", {"Images": [image]}, {"ImageIds": ["ami-1"]})
    assert survey.image("ami-1") == BaseImage("ami-1", "ubuntu", "x86_64", "available")


def test_image_builder_knows_an_arn_or_not(session: StubbedSession, survey: AwsSurvey) -> None:
    arn = "arn:aws:imagebuilder:eu-west-3:aws:image/ubuntu-server-24-lts-x86/x.x.x"
    stub = session.stub("imagebuilder")
    stub.add_response("get_image", {}, {"imageBuildVersionArn": arn})
    stub.add_client_error("get_image", "ResourceNotFoundException")
    assert survey.has_built_image(arn)
    assert not survey.has_built_image(arn)


def test_a_key_pair_is_there_or_not(session: StubbedSession, survey: AwsSurvey) -> None:
    stub = session.stub("ec2")
    stub.add_response("describe_key_pairs", {"KeyPairs": [{"KeyName": "mine"}]}, {"KeyNames": ["mine"]})
    stub.add_client_error("describe_key_pairs", "InvalidKeyPair.NotFound")
    assert survey.has_key_pair("mine")
    assert not survey.has_key_pair("yours")


def test_a_vpc_has_all_its_ranges_and_tags(session: StubbedSession, survey: AwsSurvey) -> None:
    associated = [{"CidrBlock": "10.0.0.0/16"}, {"CidrBlock": "10.1.0.0/16"}]
    first = {
        "VpcId": "vpc-1",
        "CidrBlock": "10.0.0.0/16",
        "CidrBlockAssociationSet": associated,
        "Tags": [{"Key": "rampart:stack", "Value": "iris"}],
    }
    second = {"VpcId": "vpc-2", "CidrBlock": "172.31.0.0/16", "IsDefault": True}
    stub = session.stub("ec2")
    stub.add_response("describe_vpcs", {"Vpcs": [first], "NextToken": "t"}, {})
    stub.add_response("describe_vpcs", {"Vpcs": [second]}, {"NextToken": "t"})
    assert survey.vpcs() == (
        Vpc("vpc-1", (IPv4Network("10.0.0.0/16"), IPv4Network("10.1.0.0/16")), tags={"rampart:stack": "iris"}),
        Vpc("vpc-2", (IPv4Network("172.31.0.0/16"),), is_default=True),
    )


def test_subnets_are_those_of_one_vpc(session: StubbedSession, survey: AwsSurvey) -> None:
    found = {
        "SubnetId": "subnet-1",
        "VpcId": "vpc-1",
        "AvailabilityZone": "eu-west-3a",
        "MapPublicIpOnLaunch": True,
        "DefaultForAz": False,
    }
    question = {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]}
    session.stub("ec2").add_response("describe_subnets", {"Subnets": [found]}, question)
    assert survey.subnets("vpc-1") == (Subnet("subnet-1", "vpc-1", "eu-west-3a", gives_addresses=True),)


@pytest.mark.parametrize(
    ("routes", "way_out", "is_broken"),
    [
        ([], "", False),
        ([{"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}], "", False),
        ([{"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1", "State": "active"}], "igw-1", False),
        ([{"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1", "State": "blackhole"}], "nat-1", True),
        ([{"DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1"}], "tgw-1", False),
        ([{"DestinationCidrBlock": "0.0.0.0/0", "CarrierGatewayId": "cagw-1"}], "somewhere", False),
    ],
)
def test_a_route_table_tells_where_the_world_is(
    session: StubbedSession, survey: AwsSurvey, routes: list[dict[str, str]], way_out: str, is_broken: bool
) -> None:
    table = {"Associations": [{"Main": True}, {"Main": False, "SubnetId": "subnet-1"}], "Routes": routes}
    question = {"Filters": [{"Name": "vpc-id", "Values": ["vpc-1"]}]}
    session.stub("ec2").add_response("describe_route_tables", {"RouteTables": [table]}, question)
    assert survey.route_tables("vpc-1") == (RouteTable("vpc-1", True, ("subnet-1",), way_out, is_broken),)


def test_a_role_is_there_or_not(session: StubbedSession, survey: AwsSurvey) -> None:
    role = {
        "Path": "/",
        "RoleName": "AWSServiceRoleForEC2Spot",
        "RoleId": "AROAEXAMPLEEXAMPLE",
        "Arn": "arn:aws:iam::111122223333:role/x",
        "CreateDate": NOW,
    }
    stub = session.stub("iam")
    stub.add_response("get_role", {"Role": role}, {"RoleName": "AWSServiceRoleForEC2Spot"})
    stub.add_client_error("get_role", "NoSuchEntity")
    assert survey.has_role("AWSServiceRoleForEC2Spot")
    assert not survey.has_role("AWSServiceRoleForEC2Fleet")


@pytest.mark.parametrize("status", ["Active", "Inactive", ""])
def test_the_cost_tag_is_asked_of_billing(session: StubbedSession, survey: AwsSurvey, status: str) -> None:
    tags = [{"TagKey": "rampart:stack", "Type": "UserDefined", "Status": status}] if status else []
    question = {"TagKeys": ["rampart:stack"]}
    session.stub("ce", FIRST).add_response("list_cost_allocation_tags", {"CostAllocationTags": tags}, question)
    assert survey.cost_tag_status("rampart:stack") == status


def test_of_each_zone_the_newest_spot_price_counts(session: StubbedSession, survey: AwsSurvey) -> None:
    def price(zone: str, usd: str, day: int) -> dict[str, Any]:
        since = datetime(2027, 1, day, tzinfo=UTC)
        return {"InstanceType": "c7i.large", "AvailabilityZone": zone, "SpotPrice": usd, "Timestamp": since}

    question = {"InstanceTypes": ["c7i.large"], "ProductDescriptions": ["Linux/UNIX"], "StartTime": NOW}
    history = [price("eu-west-3a", "0.03", 2), price("eu-west-3a", "0.02", 1), price("eu-west-3b", "0.04", 3)]
    session.stub("ec2").add_response("describe_spot_price_history", {"SpotPriceHistory": history}, question)
    assert survey.spot_prices(["c7i.large"]) == (
        SpotPrice("c7i.large", "eu-west-3a", 0.03, datetime(2027, 1, 2, tzinfo=UTC)),
        SpotPrice("c7i.large", "eu-west-3b", 0.04, datetime(2027, 1, 3, tzinfo=UTC)),
    )


def _product(name: str, unit: str, price: dict[str, str]) -> str:
    terms = {"OnDemand": {"x": {"priceDimensions": {"y": {"unit": unit, "pricePerUnit": price}}}}}
    return json.dumps({"product": {"attributes": {"instanceType": name}}, "terms": terms})


def test_an_on_demand_price_is_that_of_an_hour_in_dollars(session: StubbedSession, survey: AwsSurvey) -> None:
    stub = session.stub("pricing", FIRST)
    for name, product in (
        ("t3.medium", _product("t3.medium", "Hrs", {"USD": "0.0472000000"})),
        ("c7i.large", _product("c7i.large", "Hrs", {"USD": "0.0000000000"})),
        ("m7i.large", _product("m7i.large", "Hrs", {"CNY": "0.7"})),
    ):
        stub.add_response("get_products", {"PriceList": [product]}, _price_question(name))
    assert survey.on_demand_prices(["t3.medium", "c7i.large", "m7i.large"]) == {"t3.medium": 0.0472}


def _price_question(name: str) -> dict[str, Any]:
    fields = {
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
        "regionCode": REGION,
        "instanceType": name,
    }
    filters = [{"Field": key, "Type": "TERM_MATCH", "Value": value} for key, value in fields.items()]
    return {"ServiceCode": "AmazonEC2", "Filters": filters}


@pytest.mark.parametrize(
    ("service", "region", "verb", "ask"),
    [
        ("ec2", REGION, "describe_vpcs", lambda survey: survey.vpcs()),
        ("ec2", REGION, "describe_images", lambda survey: survey.image("ami-1")),
        ("ssm", REGION, "get_parameter", lambda survey: survey.parameter("/image")),
        ("iam", REGION, "get_role", lambda survey: survey.has_role("x")),
        ("imagebuilder", REGION, "get_image", lambda survey: survey.has_built_image("arn:aws:imagebuilder:" + "x" * 9)),
        ("service-quotas", REGION, "get_service_quota", lambda survey: survey.quota("L-1216C47A")),
        ("ce", FIRST, "list_cost_allocation_tags", lambda survey: survey.cost_tag_status("rampart:stack")),
        ("pricing", FIRST, "get_products", lambda survey: survey.on_demand_prices(["t3.medium"])),
    ],
)
def test_a_refusal_keeps_its_code(
    session: StubbedSession,
    survey: AwsSurvey,
    service: str,
    region: str,
    verb: str,
    ask: Callable[[AwsSurvey], object],
) -> None:
    session.stub(service, region).add_client_error(verb, "AccessDenied", "no")
    with pytest.raises(CloudError) as refused:
        ask(survey)
    assert refused.value.code == "AccessDenied"
    assert refused.value.hint


@pytest.mark.parametrize(
    ("metadata", "key"),
    [
        (
            {"KeyState": "Enabled", "KeyManager": "CUSTOMER", "KeyUsage": "ENCRYPT_DECRYPT"},
            EncryptionKey("Enabled", is_own=True, encrypts=True),
        ),
        (
            {"KeyState": "Disabled", "KeyManager": "AWS", "KeyUsage": "GENERATE_VERIFY_MAC"},
            EncryptionKey("Disabled", is_own=False, encrypts=False),
        ),
    ],
)
def test_a_key_tells_its_state_whose_it_is_and_whether_it_encrypts(
    session: StubbedSession, survey: AwsSurvey, metadata: dict[str, str], key: EncryptionKey
) -> None:
    answer = {"KeyMetadata": {"KeyId": "1234", "KeySpec": "SYMMETRIC_DEFAULT", **metadata}}
    session.stub("kms").add_response("describe_key", answer, {"KeyId": KEY})
    assert survey.key(KEY) == key


def test_a_key_that_is_not_there_is_none(session: StubbedSession, survey: AwsSurvey) -> None:
    session.stub("kms").add_client_error("describe_key", "NotFoundException", "Key does not exist")
    assert survey.key(KEY) is None


@pytest.mark.parametrize(
    ("address", "prefix", "keys", "is_there"),
    [
        ("s3://challenges/iris/private/", "iris/private/", ["iris/private/train.csv"], True),
        ("s3://challenges/iris/private/", "iris/private/", [], False),
        ("s3://challenges/iris-kit.tar.gz", "iris-kit.tar.gz", ["iris-kit.tar.gz"], True),
        ("s3://challenges/iris-kit.tar.gz", "iris-kit.tar.gz", ["iris-kit.tar.gz.old"], False),
    ],
)
def test_one_look_tells_whether_an_address_in_a_bucket_holds_anything(
    session: StubbedSession, survey: AwsSurvey, address: str, prefix: str, keys: list[str], is_there: bool
) -> None:
    question = {"Bucket": "challenges", "Prefix": prefix, "MaxKeys": 1}
    answer = {"Contents": [{"Key": key} for key in keys]} if keys else {}
    session.stub("s3").add_response("list_objects_v2", answer, question)
    assert survey.holds(address) is is_there


def test_a_bucket_that_is_not_there_holds_nothing(session: StubbedSession, survey: AwsSurvey) -> None:
    session.stub("s3").add_client_error("list_objects_v2", "NoSuchBucket", "The specified bucket does not exist")
    assert survey.holds("s3://challenges/iris/") is False
