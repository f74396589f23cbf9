"""Open a tunnel to private hosts that AWS's own permissions guard."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.component import Component
from infra.tags import Labels


@dataclass(frozen=True)
class ConnectEndpointArgs:
    """The subnet it stands in, which may be private, and its group."""

    subnet_id: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    labels: Labels


class ConnectEndpoint(Component):
    """An EC2 Instance Connect Endpoint: reaches every subnet of its VPC."""

    endpoint_id: pulumi.Output[str]

    def __init__(self, name: str, args: ConnectEndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("ConnectEndpoint", name, args.labels, opts)
        endpoint = aws.ec2transitgateway.InstanceConnectEndpoint(
            self.called("connect-endpoint"),
            subnet_id=args.subnet_id,
            security_group_ids=[args.security_group_id],
            # hosts then see its address: with the client's own they would have to let in everybody's
            preserve_client_ip=False,
            tags=self.tags("connect-endpoint"),
            opts=self.inside,
        )
        self.endpoint_id = endpoint.id
        self.register_outputs({"endpointId": self.endpoint_id})
