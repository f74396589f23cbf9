"""Lay what an event's machines stand on: the network, who gets in, the way in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from contracts.event import EventConfig
from contracts.infra import Access as Way
from infra import naming
from infra.access import Access, AccessArgs
from infra.connect_endpoint import ConnectEndpoint, ConnectEndpointArgs
from infra.endpoints import Endpoints, EndpointsArgs
from infra.flow_logs import FlowLogs, FlowLogsArgs
from infra.gateway import JumpHost, JumpHostArgs
from infra.network import DefaultNetwork, GivenNetwork, GivenNetworkArgs, OwnNetwork, OwnNetworkArgs
from infra.tags import Labels

Network = OwnNetwork | GivenNetwork | DefaultNetwork
Outputs = dict[str, pulumi.Input[Any]]
"""Some of the stack's outputs, by the names of StackOutputs."""


@dataclass(frozen=True)
class Ground:
    """What everything else stands on: whose it is, in which network, behind which groups."""

    event: EventConfig
    labels: Labels
    here: pulumi.ResourceOptions
    network: Network
    access: Access

    @property
    def outputs(self) -> Outputs:
        network, access = self.network, self.access
        return {
            "stack": self.labels.stack,
            "event": self.labels.event,
            "region": self.event.region,
            "vpc_id": network.vpc_id,
            "subnet_ids": network.subnet_ids,
            "build_subnet_id": network.build_subnet_id,
            "access": str(self.event.infra.access),
            "key_name": access.key_name,
            "security_group_id": access.hosts_group_id,
            "server_group_id": access.server_group_id,
            "builder_group_id": access.builder_group_id,
        }

    def called(self, purpose: str) -> str:
        return naming.logical_name(self.event.name, purpose)


def lay(event: EventConfig, public_key: str) -> Ground:
    infra = event.infra
    labels = Labels(event=event.name, stack=pulumi.get_stack(), cost_center=infra.cost_center)
    here = pulumi.ResourceOptions(provider=_provider(event))
    network = _network(event, labels, here)
    access = Access(
        naming.logical_name(event.name, "access"),
        AccessArgs(
            vpc_id=network.vpc_id,
            way_in=infra.access,
            allowed_cidrs=infra.allowed_cidrs,
            host_egress=infra.host_egress,
            public_key=public_key,
            key_name=event.worker.key_name,
            labels=labels,
        ),
        here,
    )
    return Ground(event, labels, here, network, access)


def _provider(event: EventConfig) -> aws.Provider:
    """Take region and credentials from the event alone, so that no shell's setting sends it elsewhere."""
    worker = event.worker
    key, secret = worker.access_key_id, worker.secret_access_key
    return aws.Provider(
        naming.logical_name(event.name, "aws"),
        region=event.region,
        profile=worker.profile_name,
        access_key=pulumi.Output.secret(key.get_secret_value()) if key else None,
        secret_key=pulumi.Output.secret(secret.get_secret_value()) if secret else None,
    )


def _network(event: EventConfig, labels: Labels, here: pulumi.ResourceOptions) -> Network:
    name, wanted = naming.logical_name(event.name, "network"), event.infra.network
    if wanted.vpc == "default":
        return DefaultNetwork(name, labels, here)
    if wanted.vpc != "own":
        return GivenNetwork(name, GivenNetworkArgs(wanted.vpc, wanted.subnet_ids, wanted.build_subnet_id, labels), here)
    network = OwnNetwork(
        name,
        OwnNetworkArgs(
            cidr=wanted.cidr,
            zones=wanted.availability_zones,
            private=wanted.subnets == "private",
            nat=wanted.nat,
            region=event.region,
            labels=labels,
        ),
        here,
    )
    Endpoints(
        naming.logical_name(event.name, "endpoints"),
        EndpointsArgs(
            vpc_id=network.vpc_id,
            cidr=wanted.cidr,
            subnet_ids=network.subnet_ids,
            route_table_ids=network.route_table_ids,
            services=wanted.endpoints,
            region=event.region,
            labels=labels,
        ),
        here,
    )
    if wanted.flow_logs:
        FlowLogs(
            naming.logical_name(event.name, "flow-logs"),
            FlowLogsArgs(
                vpc_id=network.vpc_id,
                retention_days=wanted.flow_log_retention_days,
                region=event.region,
                permissions_boundary=event.infra.permissions_boundary,
                labels=labels,
            ),
            here,
        )
    return network


def way_in(ground: Ground) -> Outputs:
    infra, group = ground.event.infra, ground.access.way_in_group_id
    if infra.access is Way.GATEWAY and group is not None:
        gateway = infra.gateway
        jump_host = JumpHost(
            ground.called("way-in"),
            JumpHostArgs(
                instance_type=gateway.instance_type,
                image=gateway.image,
                user=gateway.user,
                subnet_id=ground.network.build_subnet_id,
                security_group_id=group,
                key_name=ground.access.key_name,
                labels=ground.labels,
            ),
            ground.here,
        )
        return {
            "gateway_id": jump_host.instance_id,
            "gateway_address": jump_host.address,
            "gateway_user": gateway.user,
        }
    if infra.access is Way.EICE and group is not None:
        endpoint = ConnectEndpoint(
            ground.called("way-in"),
            ConnectEndpointArgs(ground.network.subnet_ids[0], group, ground.labels),
            ground.here,
        )
        return {"eice_id": endpoint.endpoint_id}
    return {}
