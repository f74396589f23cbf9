"""Declare everything an event needs on AWS."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_aws as aws

from contracts.event import EventConfig
from imagebuilder import catalogue
from infra import keys, naming
from infra.access import Access, AccessArgs
from infra.hosts import Hosts, HostsArgs
from infra.images import Images, ImagesArgs
from infra.network import DefaultNetwork, OwnNetwork, OwnNetworkArgs
from infra.tags import Labels


def build(event: EventConfig) -> dict[str, pulumi.Output[Any]]:
    """Declare the event's resources in the running stack; gives its outputs by the names of StackOutputs.

    Raises KeyFileInvalid or AskedWrongly for what is wrong with the event, before anything is declared.
    """
    labels = Labels(event=event.name, stack=pulumi.get_stack())
    public_key = "" if event.worker.key_name else keys.public_key(event)
    ami_name = naming.ami_name(event.image_name)
    components = catalogue.components(event)
    here = pulumi.ResourceOptions(provider=_provider(event))

    network = _network(event, labels, here)
    access = Access(
        naming.logical_name(event.name, "access"),
        AccessArgs(
            vpc_id=network.vpc_id,
            allowed_cidrs=event.infra.allowed_cidrs,
            public_key=public_key,
            key_name=event.worker.key_name,
            labels=labels,
        ),
        here,
    )
    images = Images(
        naming.logical_name(event.name, "images"),
        ImagesArgs(
            components=components,
            recipe_version=catalogue.recipe_version(event),
            parent_image=event.infra.image.parent_image,
            ami_name=ami_name,
            instance_type=event.infra.image.instance_type,
            volume_gib=event.infra.image.volume_gib,
            region=event.region,
            subnet_id=network.subnet_ids[0],
            security_group_id=access.builder_group_id,
            labels=labels,
        ),
        here,
    )
    hosts = Hosts(
        naming.logical_name(event.name, "hosts"),
        HostsArgs(
            instance_type=event.worker.instance_type,
            # a root volume cannot be smaller than the image's snapshot
            volume_gib=max(event.infra.volume_gib, event.infra.image.volume_gib),
            key_name=access.key_name,
            security_group_id=access.hosts_group_id,
            labels=labels,
        ),
        here,
    )
    outputs: dict[str, pulumi.Input[Any]] = {
        "stack": labels.stack,
        "event": labels.event,
        "region": event.region,
        "vpc_id": network.vpc_id,
        "subnet_ids": network.subnet_ids,
        "security_group_id": access.hosts_group_id,
        "key_name": access.key_name,
        "launch_template_id": hosts.launch_template_id,
        "image_pipeline_arn": images.pipeline_arn,
        "image_name": event.image_name,
    }
    return {name: pulumi.Output.from_input(value) for name, value in outputs.items()}


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


def _network(event: EventConfig, labels: Labels, here: pulumi.ResourceOptions) -> OwnNetwork | DefaultNetwork:
    name = naming.logical_name(event.name, "network")
    wanted = event.infra.network
    if wanted.vpc == "default":
        return DefaultNetwork(name, here)
    return OwnNetwork(name, OwnNetworkArgs(cidr=wanted.cidr, zones=wanted.availability_zones, labels=labels), here)
