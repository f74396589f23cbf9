"""Decide who gets in: the key pair of an event with the security groups of its machines."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import assert_never

import pulumi
import pulumi_aws as aws

from contracts.infra import Access as WayIn
from contracts.infra import WayOut
from infra import addresses, rules
from infra.component import Component
from infra.tags import Labels

SSH = 22
WEB = (80, 443)
"""What a build downloads through: package mirrors, the kit's repository, AWS's own services."""


@dataclass(frozen=True)
class AccessArgs:
    """Who may reach port 22 of the hosts, with which key; what hosts may reach.

    `key_name` is an existing key pair, else one is declared.
    """

    vpc_id: pulumi.Input[str]
    way_in: WayIn
    allowed_cidrs: tuple[IPv4Network, ...]
    host_egress: tuple[WayOut, ...]
    public_key: str
    key_name: str | None
    labels: Labels


class Access(Component):
    """Hosts: port 22 from the server and the way in, nothing out unless asked for. Image builder: the web out.

    Server: the group of a dispatcher in the VPC. `way_in_group_id` is the group of the gateway or the endpoint, where
    there is one.
    """

    key_name: pulumi.Output[str]
    hosts_group_id: pulumi.Output[str]
    builder_group_id: pulumi.Output[str]
    server_group_id: pulumi.Output[str]
    way_in_group_id: pulumi.Output[str] | None

    def __init__(self, name: str, args: AccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Access", name, args.labels, opts)
        self._args = args
        # refused before anything is declared
        self._allowed = _allowed(args.way_in, args.allowed_cidrs)
        self._ways_out = _ways_out(args.host_egress)
        self.key_name = self._key()
        self.hosts_group_id = self._hosts()
        self.builder_group_id = self._builder()
        self.server_group_id = self._server()
        self.way_in_group_id = self._way_in()
        self.register_outputs(
            {
                "keyName": self.key_name,
                "hostsGroupId": self.hosts_group_id,
                "builderGroupId": self.builder_group_id,
                "serverGroupId": self.server_group_id,
                "wayInGroupId": self.way_in_group_id,
            }
        )

    def _key(self) -> pulumi.Output[str]:
        if self._args.key_name is not None:
            return pulumi.Output.from_input(self._args.key_name)
        pair = aws.ec2.KeyPair(
            self.called("key"), public_key=self._args.public_key, tags=self.tags("key"), opts=self.inside
        )
        return pair.key_name

    def _hosts(self) -> pulumi.Output[str]:
        # a group's description cannot change: another text would replace the group, and every host with it
        group = self._group("hosts", "Hosts that run submissions: SSH from the allowed ranges, no way out")
        for port, cidr in self._ways_out:
            rules.let_out(
                self,
                f"hosts-to-{_spelled(cidr)}-on-{port}",
                group,
                port=port,
                cidr=cidr,
                description="What submissions may reach, as the event asks",
            )
        return group

    def _builder(self) -> pulumi.Output[str]:
        group = self._group("image-builder", "Image builds: no way in, the web out")
        self._let_web_out("image-builder", group, "Packages, the kit, services of AWS")
        return group

    def _server(self) -> pulumi.Output[str]:
        group = self._group("server", "A dispatcher in this VPC: no way in, SSH to the hosts and the web out")
        self._let_web_out("server", group, "Services of AWS, package mirrors")
        self._connect("server", group, "the dispatcher")
        return group

    def _way_in(self) -> pulumi.Output[str] | None:
        match self._args.way_in:
            case WayIn.PUBLIC | WayIn.INSIDE:
                self._let_allowed_in("ssh", self.hosts_group_id, "SSH from a range the event allows")
                return None
            case WayIn.GATEWAY:
                group = self._group("jump-host", "The gateway: SSH from the allowed ranges, SSH to the hosts")
                self._let_allowed_in("jump-host", group, "SSH to the gateway from a range the event allows")
                self._connect("jump-host", group, "the gateway")
                return group
            case WayIn.EICE:
                group = self._group("connect-endpoint", "EC2 Instance Connect Endpoint: no way in, SSH to the hosts")
                self._connect("connect-endpoint", group, "the EC2 Instance Connect Endpoint")
                return group
            case _ as never:
                assert_never(never)

    def _connect(self, purpose: str, group: pulumi.Output[str], whose: str) -> None:
        """Let a group out to port 22 of the hosts, and in there."""
        rules.let_out(
            self,
            f"{purpose}-to-hosts",
            group,
            port=SSH,
            to_group=self.hosts_group_id,
            description="SSH to the hosts",
        )
        rules.let_in(
            self,
            f"ssh-from-{purpose}",
            self.hosts_group_id,
            port=SSH,
            from_group=group,
            description=f"SSH from {whose}",
        )

    def _let_allowed_in(self, purpose: str, group: pulumi.Output[str], description: str) -> None:
        for cidr in self._allowed:
            rules.let_in(self, f"{purpose}-from-{_spelled(cidr)}", group, port=SSH, cidr=cidr, description=description)

    def _let_web_out(self, purpose: str, group: pulumi.Output[str], description: str) -> None:
        for port in WEB:
            rules.let_out(self, f"{purpose}-to-{port}", group, port=port, cidr=addresses.WORLD, description=description)

    def _group(self, purpose: str, description: str) -> pulumi.Output[str]:
        return rules.closed_group(self, purpose, self._args.vpc_id, description)


def _allowed(way_in: WayIn, cidrs: tuple[IPv4Network, ...]) -> tuple[IPv4Network, ...]:
    if way_in in (WayIn.PUBLIC, WayIn.GATEWAY):
        addresses.not_nobody(cidrs)
    return addresses.closed_to_the_world(cidrs)


def _ways_out(asked: tuple[WayOut, ...]) -> list[tuple[int, IPv4Network]]:
    """Give port and range of each way out, those of a port joined; raises AskedWrongly where one is too broad."""
    return [
        (port, cidr)
        for port in sorted({way.port for way in asked})
        for cidr in addresses.closed_to_the_world(
            (way.cidr for way in asked if way.port == port), f"infra.host_egress opens port {port}"
        )
    ]


def _spelled(cidr: IPv4Network) -> str:
    return f"{cidr.network_address}-{cidr.prefixlen}"
