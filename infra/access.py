"""Decide who gets in: the key pair of an event with the security groups of its machines."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

import pulumi
import pulumi_aws as aws

from infra import addresses, naming
from infra.tags import Labels

SSH = 22
WEB = (80, 443)
"""What a build downloads through: package mirrors, the kit's repository, AWS's own services."""


@dataclass(frozen=True)
class AccessArgs:
    """Who may reach port 22 of the hosts, with which key. `key_name` is an existing key pair, else one is declared."""

    vpc_id: pulumi.Input[str]
    allowed_cidrs: tuple[IPv4Network, ...]
    public_key: str
    key_name: str | None
    labels: Labels


class Access(pulumi.ComponentResource):
    """Hosts: port 22 from the allowed ranges, nothing out. Image builder: nothing in, the web out."""

    key_name: pulumi.Output[str]
    hosts_group_id: pulumi.Output[str]
    builder_group_id: pulumi.Output[str]

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("rampart:infra:Access", name, None, opts)
        self._args = args
        self._inside = pulumi.ResourceOptions(parent=self)
        self.key_name = self._key()
        self.hosts_group_id = self._hosts()
        self.builder_group_id = self._builder()
        self.register_outputs(
            {
                "keyName": self.key_name,
                "hostsGroupId": self.hosts_group_id,
                "builderGroupId": self.builder_group_id,
            }
        )

    def _key(self) -> pulumi.Output[str]:
        if self._args.key_name is not None:
            return pulumi.Output.from_input(self._args.key_name)
        pair = aws.ec2.KeyPair(
            self._called("key"), public_key=self._args.public_key, tags=self._tags("key"), opts=self._inside
        )
        return pair.key_name

    def _hosts(self) -> pulumi.Output[str]:
        group = self._group("hosts", "Hosts that run submissions: SSH from the allowed ranges, no way out")
        for cidr in addresses.closed_to_the_world(self._args.allowed_cidrs):
            purpose = f"ssh-from-{cidr.network_address}-{cidr.prefixlen}"
            aws.vpc.SecurityGroupIngressRule(
                self._called(purpose),
                security_group_id=group.id,
                ip_protocol="tcp",
                from_port=SSH,
                to_port=SSH,
                cidr_ipv4=str(cidr),
                tags=self._tags(purpose),
                opts=self._inside,
            )
        return group.id

    def _builder(self) -> pulumi.Output[str]:
        group = self._group("image-builder", "Image builds: no way in, the web out")
        for port in WEB:
            purpose = f"image-builder-to-{port}"
            aws.vpc.SecurityGroupEgressRule(
                self._called(purpose),
                security_group_id=group.id,
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                cidr_ipv4="0.0.0.0/0",
                tags=self._tags(purpose),
                opts=self._inside,
            )
        return group.id

    def _group(self, purpose: str, description: str) -> aws.ec2.SecurityGroup:
        # No rules inline: the provider then takes away the "everything out" that EC2 gives to a new group.
        return aws.ec2.SecurityGroup(
            self._called(purpose),
            description=description,
            vpc_id=self._args.vpc_id,
            revoke_rules_on_delete=True,
            tags=self._tags(purpose),
            opts=self._inside,
        )

    def _called(self, purpose: str) -> str:
        return naming.logical_name(self._args.labels.event, purpose)

    def _tags(self, purpose: str) -> dict[str, str]:
        return self._args.labels.resource(self._called(purpose))
