"""The section `infra` as a whole."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from contracts.event_values import AllowedCidr, Count, InstanceType, Region, Text, one_of
from contracts.infra.cost import Budget
from contracts.infra.dask import DaskCluster
from contracts.infra.fleet import Fleet
from contracts.infra.image import Image
from contracts.infra.network import Access, Gateway, Network, WayOut
from contracts.infra.storage import Storage
from contracts.infra.values import PolicyArn, SecretName, TagValue
from contracts.section import Section

DEFAULT_REGION = "eu-west-3"
"""The region of an event that names none, and of the local cloud."""


class Infra(Section):
    """Section `infra` (ours, optional): what `pulumi up` declares for the event."""

    region: Region = Field(
        default=DEFAULT_REGION,
        description="the AWS region where `worker.region_name` is not written",
        examples=["us-west-2"],
    )
    access: Annotated[Access, BeforeValidator(one_of(*Access))] = Field(
        default=Access.PUBLIC,
        description="the way in: `public` (public addresses), `inside` (the dispatcher runs in the VPC), `gateway` "
        "(over a small jump host), `eice` (over an EC2 Instance Connect Endpoint)",
        examples=["gateway"],
    )
    allowed_cidrs: tuple[AllowedCidr, ...] = Field(
        default=(),
        description="list of IPv4 ranges that may reach port 22 of the hosts (of the gateway, with one); the world and "
        "ranges broader than /8 are refused; empty: nobody",
        examples=["[203.0.113.0/24]"],
    )
    host_egress: tuple[WayOut, ...] = Field(
        default=(),
        description="what hosts may reach, see below; without it nothing, which is what strangers' code needs",
    )
    network: Network = Field(default=Network(), description="the hosts' network, see below")
    gateway: Gateway = Field(default=Gateway(), description="the jump host of `access: gateway`, see below")
    volume_gib: Count = Field(
        default=20, ge=8, le=16384, description="disk of a host, in GiB, 8 to 16384", examples=["50"]
    )
    instance_types: tuple[InstanceType, ...] = Field(
        default=(),
        description="further types that hosts may be of, besides `worker.instance_type`: the more, the sooner there "
        "is a machine",
        max_length=40,
        examples=["[c6i.large, m7i.large]"],
    )
    image: Image = Field(description="the machine image, see below")
    fleet: Fleet | None = Field(default=None, description="machines that are kept up, see below")
    dask: DaskCluster | None = Field(default=None, description="a Dask cluster, see below")
    storage: Storage = Field(default=Storage(), description="a bucket and a file system, see below")
    secrets: dict[SecretName, Text] = Field(
        default={},
        description="secrets that image builds may read, by name, each with a sentence on what it is; the values are "
        "given with `pulumi config set --secret secret-<name>`, never here",
        max_length=20,
        examples=['{osf: "token of the data\'s owner at osf.io"}'],
    )
    budget: Budget | None = Field(default=None, description="when to be told of the costs, see below")
    cost_center: TagValue | None = Field(
        default=None, description="value of the tag `rampart:cost-center` on everything", examples=["physics-2027"]
    )
    permissions_boundary: PolicyArn | None = Field(
        default=None,
        description="the policy that bounds every role of the event, where an account demands one",
        examples=["arn:aws:iam::111122223333:policy/boundary"],
    )
