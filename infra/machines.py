"""Declare how a machine of an event is launched: guarded metadata, an encrypted disk, gone when shut down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.component import Component
from infra.tags import MAX_LIFETIME

ROOT_DEVICE = "/dev/sda1"
"""Ubuntu's AMIs call their root volume so; another name would add a second volume."""


@dataclass(frozen=True)
class TemplateArgs:
    """What a machine is made of. `user_data` is in base64; what is None is chosen at launch.

    With `lifetime_s` the machines say by a tag how old they may become: for those that AWS launches by itself.
    """

    description: str
    volume_gib: int
    key_name: pulumi.Input[str]
    security_group_ids: Sequence[pulumi.Input[str]]
    user_data: pulumi.Input[str]
    image_id: str | None = None
    instance_type: str | None = None
    lifetime_s: float | None = None


def launch_template(component: Component, purpose: str, args: TemplateArgs) -> aws.ec2.LaunchTemplate:
    """Declare the launch template of machines that run strangers' code: they have no instance profile."""
    return aws.ec2.LaunchTemplate(
        component.called(purpose),
        description=args.description,
        update_default_version=True,
        image_id=args.image_id,
        instance_type=args.instance_type,
        key_name=args.key_name,
        vpc_security_group_ids=list(args.security_group_ids),
        instance_initiated_shutdown_behavior="terminate",
        metadata_options=_metadata_options(),
        block_device_mappings=[_root_volume(args.volume_gib)],
        tag_specifications=_tag_specifications(component, purpose, args.lifetime_s),
        user_data=args.user_data,
        tags=component.tags(purpose),
        opts=component.inside,
    )


def lifetime_tag(lifetime_s: float | None) -> dict[str, str]:
    """Say by a tag how old a machine may become; nothing for None."""
    return {} if lifetime_s is None else {MAX_LIFETIME: f"{lifetime_s:.0f}"}


def _metadata_options() -> aws.ec2.LaunchTemplateMetadataOptionsArgs:
    return aws.ec2.LaunchTemplateMetadataOptionsArgs(
        http_endpoint="enabled",  # cloud-init asks it for its user data
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


def _tag_specifications(
    component: Component, purpose: str, lifetime_s: float | None
) -> list[aws.ec2.LaunchTemplateTagSpecificationArgs]:
    tags = component.labels.instance(component.called(purpose))
    kinds = {"instance": tags | lifetime_tag(lifetime_s), "volume": tags, "network-interface": tags}
    return [
        aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=its_tags)
        for kind, its_tags in kinds.items()
    ]
