"""Put a small machine between an organiser and private hosts."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from contracts.errors import AskedWrongly
from contracts.host_boot import render_user_data
from infra.component import Component
from infra.tags import KEEP, Labels


@dataclass(frozen=True)
class JumpHostArgs:
    """What the machine is and where it stands: `image` is an AMI's id, or `ssm:` and a parameter that holds one."""

    instance_type: str
    image: str
    user: str
    subnet_id: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    key_name: pulumi.Input[str]
    labels: Labels


class JumpHost(Component):
    """A machine with a public address that SSH passes through: no profile, guarded metadata, a host key of its own."""

    instance_id: pulumi.Output[str]
    address: pulumi.Output[str]

    def __init__(self, name: str, args: JumpHostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises AskedWrongly for an image of another form."""
        super().__init__("JumpHost", name, args.labels, opts)
        instance = aws.ec2.Instance(
            self.called("jump-host"),
            ami=self._image(args.image),
            instance_type=args.instance_type,
            subnet_id=args.subnet_id,
            associate_public_ip_address=True,
            vpc_security_group_ids=[args.security_group_id],
            key_name=args.key_name,
            user_data=render_user_data(lifetime_s=None, user=args.user),
            user_data_replace_on_change=True,  # cloud-init reads it at the first boot alone
            instance_initiated_shutdown_behavior="terminate",
            metadata_options=_metadata_options(),
            root_block_device=_root_volume(),
            tags={**self.tags("jump-host"), KEEP: "as long as the stack"},
            volume_tags=self.tags("jump-host"),
            # a newer image is no reason to end a machine people are connected through, and to give it another address
            opts=pulumi.ResourceOptions.merge(self.inside, pulumi.ResourceOptions(ignore_changes=["ami"])),
        )
        self.instance_id = instance.id
        self.address = instance.public_ip
        self.register_outputs({"instanceId": self.instance_id, "address": self.address})

    def _image(self, image: str) -> pulumi.Input[str]:
        kind, _, parameter = image.partition(":")
        if image.startswith("ami-"):
            return image
        if kind == "ssm" and parameter:
            asking = pulumi.InvokeOptions(parent=self)
            # an image's id is no secret, as a parameter's `value` would be
            return aws.ssm.get_parameter_output(name=parameter, opts=asking).insecure_value
        hint = "write an AMI's id, or ssm:/ and the name of a parameter that holds one"
        raise AskedWrongly(f"infra.gateway.image is {image}, from which no machine is launched", hint=hint)


def _metadata_options() -> aws.ec2.InstanceMetadataOptionsArgs:
    return aws.ec2.InstanceMetadataOptionsArgs(
        http_endpoint="enabled",  # cloud-init asks it for the user data
        http_tokens="required",
        http_put_response_hop_limit=1,
        instance_metadata_tags="disabled",
    )


def _root_volume() -> aws.ec2.InstanceRootBlockDeviceArgs:
    return aws.ec2.InstanceRootBlockDeviceArgs(volume_type="gp3", encrypted=True, delete_on_termination=True)
