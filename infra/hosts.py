"""Declare how a host of an event is launched."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from contracts.host_boot import encoded, render_user_data
from infra import machines
from infra.component import Component
from infra.tags import Labels


@dataclass(frozen=True)
class HostsArgs:
    """What a host is made of; its image is chosen, and pinned, at launch. `user` logs in."""

    instance_type: str
    volume_gib: int
    key_name: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    user: str
    lifetime_s: float
    labels: Labels


class Hosts(Component):
    """The launch template of hosts.

    The dispatcher's launches bring user data of their own. What anybody else launches from it makes its own host key
    and ends after `lifetime_s`.
    """

    launch_template_id: pulumi.Output[str]

    def __init__(self, name: str, args: HostsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Hosts", name, args.labels, opts)
        template = machines.launch_template(
            self,
            "host",
            machines.TemplateArgs(
                description=f"Hosts of the event {args.labels.event}",
                volume_gib=args.volume_gib,
                key_name=args.key_name,
                security_group_ids=[args.security_group_id],
                user_data=encoded(render_user_data(lifetime_s=args.lifetime_s, user=args.user)),
                instance_type=args.instance_type,
            ),
        )
        self.launch_template_id = template.id
        self.register_outputs({"launchTemplateId": self.launch_template_id})
