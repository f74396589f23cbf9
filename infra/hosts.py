"""Declare how a host of an event is launched."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import naming
from infra.tags import Labels

ROOT_DEVICE = "/dev/sda1"
"""Ubuntu's AMIs call their root volume so; another name would add a second volume."""


@dataclass(frozen=True)
class HostsArgs:
    """What a host is made of; its image is chosen, and pinned, at launch."""

    instance_type: str
    volume_gib: int
    key_name: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    labels: Labels


class Hosts(pulumi.ComponentResource):
    """A launch template for machines that run strangers' code: no profile, guarded metadata, gone when shut down."""

    launch_template_id: pulumi.Output[str]

    def __init__(self, name: str, args: HostsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("rampart:infra:Hosts", name, None, opts)
        called = naming.logical_name(args.labels.event, "host")
        template = aws.ec2.LaunchTemplate(
            called,
            description=f"Hosts of the event {args.labels.event}",
            update_default_version=True,
            instance_type=args.instance_type,
            key_name=args.key_name,
            vpc_security_group_ids=[args.security_group_id],
            instance_initiated_shutdown_behavior="terminate",
            metadata_options=_metadata_options(),
            block_device_mappings=[_root_volume(args.volume_gib)],
            tag_specifications=_tag_specifications(args.labels, called),
            tags=args.labels.resource(called),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.launch_template_id = template.id
        self.register_outputs({"launchTemplateId": self.launch_template_id})


def _metadata_options() -> aws.ec2.LaunchTemplateMetadataOptionsArgs:
    return aws.ec2.LaunchTemplateMetadataOptionsArgs(
        http_endpoint="enabled",  # cloud-init asks it for the host key
        http_tokens="required",
        http_put_response_hop_limit=1,
        instance_metadata_tags="disabled",
    )


def _root_volume(size_gib: int) -> aws.ec2.LaunchTemplateBlockDeviceMappingArgs:
    return aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
        device_name=ROOT_DEVICE,
        ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
            volume_type="gp3", volume_size=size_gib, encrypted="true", delete_on_termination="true"
        ),
    )


def _tag_specifications(labels: Labels, called: str) -> list[aws.ec2.LaunchTemplateTagSpecificationArgs]:
    return [
        aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=labels.instance(called))
        for kind in ("instance", "volume", "network-interface")
    ]
