"""`infra.network` with the way in: where an event's machines are, who reaches them, what they reach."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from contracts.event_values import AllowedCidr, Count, InstanceType, LoginUser, ParentImage, VpcCidr, one_of
from contracts.infra.values import EndpointService, Port, RetentionDays, SubnetId, Vpc
from contracts.section import Section

UBUNTU = "ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


class Access(StrEnum):
    """How the dispatcher reaches the hosts."""

    PUBLIC = "public"
    INSIDE = "inside"
    GATEWAY = "gateway"
    EICE = "eice"


class Network(Section):
    """`infra.network`: a VPC of the event's own, one that is there, or the account's default one."""

    vpc: Vpc = Field(
        default="own",
        description="`own` makes a VPC, `default` uses the account's default one, an id uses that one",
        examples=["vpc-0abc1234def567890"],
    )
    subnet_ids: tuple[SubnetId, ...] = Field(
        default=(),
        description="the hosts' subnets in a VPC given by its id, which needs them",
        examples=["[subnet-0abc1234def567890]"],
    )
    build_subnet_id: SubnetId | None = Field(
        default=None,
        description="with a VPC given by its id: the subnet with a way to the internet in which images are built and "
        "the gateway stands; the first of `subnet_ids` otherwise",
        examples=["subnet-0abc1234def567891"],
    )
    cidr: VpcCidr = Field(
        default=IPv4Network("10.20.0.0/16"),
        description="addresses of the own VPC, from /16 to /24",
        examples=["10.30.0.0/20"],
    )
    availability_zones: Count = Field(
        default=2, ge=1, le=6, description="number of zones, 1 to 6, each with a subnet for hosts", examples=["3"]
    )
    subnets: Annotated[Literal["public", "private"], BeforeValidator(one_of("public", "private"))] = Field(
        default="public",
        description="whether hosts have public addresses; an own VPC with `private` has one public subnet more, for "
        "image builds, the gateway and NAT",
        examples=["private"],
    )
    nat: bool = Field(
        default=False,
        description="a NAT gateway for private subnets, at a price for each hour; submissions need none",
        examples=["true"],
    )
    endpoints: tuple[EndpointService, ...] = Field(
        default=(),
        description="services that get an interface endpoint in the own VPC, each at a price for each hour and zone; "
        "S3's gateway endpoint is always there and free",
        examples=["[ssm, ssmmessages]"],
    )
    flow_logs: bool = Field(
        default=False, description="log which connections were accepted and rejected", examples=["true"]
    )
    flow_log_retention_days: RetentionDays = Field(
        default=30, description="how long flow logs are kept, in days", examples=["90"]
    )


class WayOut(Section):
    """`infra.host_egress[]`: one way out of the hosts."""

    cidr: AllowedCidr = Field(description="the IPv4 range that hosts may reach", examples=["203.0.113.0/24"])
    port: Port = Field(default=443, description="the TCP port", examples=["8443"])


class Gateway(Section):
    """`infra.gateway`: the jump host of `access: gateway`."""

    instance_type: InstanceType = Field(default="t3.nano", description="its type", examples=["t4g.nano"])
    image: ParentImage = Field(
        default=UBUNTU,
        description="its image: the id of an AMI, or `ssm:` and the name of a parameter that holds one",
        examples=["ami-0abc1234def567890"],
    )
    user: LoginUser = Field(default="ubuntu", description="login user of that image", examples=["ec2-user"])
