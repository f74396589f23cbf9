"""Let a VPC reach AWS's own services without leaving AWS's network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from infra import rules
from infra.component import Component
from infra.tags import Labels

HTTPS = 443


@dataclass(frozen=True)
class EndpointsArgs:
    """An own VPC with its range, subnets (one per zone) and route tables; `services` as the event names them."""

    vpc_id: pulumi.Input[str]
    cidr: IPv4Network
    subnet_ids: Sequence[pulumi.Input[str]]
    route_table_ids: Sequence[pulumi.Input[str]]
    services: tuple[str, ...]
    region: str
    labels: Labels


class Endpoints(Component):
    """S3's gateway endpoint, which costs nothing, and one interface endpoint for each service asked for.

    An interface endpoint answers under the service's usual name, to the VPC's own addresses alone.
    """

    def __init__(self, name: str, args: EndpointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Endpoints", name, args.labels, opts)
        self._args = args
        aws.ec2.VpcEndpoint(
            self.called("endpoint-s3"),
            vpc_id=args.vpc_id,
            service_name=self._service("s3"),
            vpc_endpoint_type="Gateway",
            route_table_ids=args.route_table_ids,
            tags=self.tags("endpoint-s3"),
            opts=self.inside,
        )
        if args.services:
            self._interfaces()
        self.register_outputs({})

    def _interfaces(self) -> None:
        group = rules.closed_group(
            self, "endpoints", self._args.vpc_id, "Interface endpoints: HTTPS from the VPC, no way out"
        )
        rules.let_in(
            self, "endpoints-from-vpc", group, port=HTTPS, cidr=self._args.cidr, description="HTTPS from the VPC"
        )
        for service in sorted(set(self._args.services)):
            purpose = f"endpoint-{service}"
            aws.ec2.VpcEndpoint(
                self.called(purpose),
                vpc_id=self._args.vpc_id,
                service_name=self._service(service),
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=self._args.subnet_ids,
                security_group_ids=[group],
                tags=self.tags(purpose),
                opts=self.inside,
            )

    def _service(self, name: str) -> str:
        return f"com.amazonaws.{self._args.region}.{name}"
