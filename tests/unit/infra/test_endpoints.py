"""Endpoints through which a VPC reaches AWS's services."""

from __future__ import annotations

from ipaddress import IPv4Network

from contracts.infra.values import ENDPOINT_SERVICES
from infra.endpoints import Endpoints, EndpointsArgs
from infra.tags import Labels
from tests.unit.infra import promises
from tests.unit.infra.recording import Recording, record


def _endpoints(*services: str) -> Recording:
    args = EndpointsArgs(
        vpc_id="vpc-1",
        cidr=IPv4Network("10.20.0.0/16"),
        subnet_ids=["subnet-1", "subnet-2"],
        route_table_ids=["rtb-1", "rtb-2"],
        services=services,
        region="eu-west-3",
        labels=Labels(event="iris", stack="iris"),
    )

    def program() -> None:
        Endpoints("endpoints", args)

    return record(program)


def test_s3_is_reached_from_every_route_table_and_nothing_is_paid_for_unasked() -> None:
    (endpoint,) = _endpoints().resources()

    assert endpoint.inputs["serviceName"] == "com.amazonaws.eu-west-3.s3"
    assert endpoint.inputs["vpcEndpointType"] == "Gateway"
    assert endpoint.inputs["routeTableIds"] == ["rtb-1", "rtb-2"]


def test_a_service_asked_for_answers_under_its_usual_name_to_the_vpc_alone() -> None:
    recording = _endpoints("ssm")
    (endpoint,) = [each for each in recording.of(":VpcEndpoint") if not each.name.endswith("-s3")]
    rule = recording.only(":SecurityGroupIngressRule").inputs

    assert endpoint.inputs["serviceName"] == "com.amazonaws.eu-west-3.ssm"
    assert endpoint.inputs["vpcEndpointType"] == "Interface"
    assert endpoint.inputs["privateDnsEnabled"] is True
    assert endpoint.inputs["subnetIds"] == ["subnet-1", "subnet-2"]
    assert endpoint.inputs["securityGroupIds"] == [rule["securityGroupId"]]
    assert (rule["fromPort"], rule["toPort"], rule["cidrIpv4"]) == (443, 443, "10.20.0.0/16")
    assert recording.of(":SecurityGroupEgressRule") == []


def test_every_service_there_is_has_one_endpoint_however_often_it_is_named() -> None:
    recording = _endpoints(*ENDPOINT_SERVICES, *ENDPOINT_SERVICES)

    assert len(recording.of(":VpcEndpoint")) == len(ENDPOINT_SERVICES) + 1
    assert len(recording.of(":SecurityGroup")) == 1
    assert promises.untagged(recording) == []
    assert promises.misnamed(recording) == []
    assert promises.badly_described(recording) == []
    assert promises.let_the_world_in(recording) == []
