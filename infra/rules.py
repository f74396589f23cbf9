"""Declare security groups that begin closed, then one rule for each way into or out of them."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import addresses
from infra.component import Component


def closed_group(component: Component, purpose: str, vpc_id: pulumi.Input[str], description: str) -> pulumi.Output[str]:
    """Declare a group that lets nothing in or out; gives its id."""
    # No rules inline: the provider then takes away the "everything out" that EC2 gives to a new group.
    group = aws.ec2.SecurityGroup(
        component.called(purpose),
        description=description,
        vpc_id=vpc_id,
        revoke_rules_on_delete=True,
        tags=component.tags(purpose),
        opts=component.inside,
    )
    return group.id


def let_in(
    component: Component,
    purpose: str,
    group: pulumi.Input[str],
    *,
    port: int,
    cidr: IPv4Network | None = None,
    from_group: pulumi.Input[str] | None = None,
    to_port: int | None = None,
    description: str = "",
) -> None:
    """Declare that TCP connections to `port` (to `to_port`) come in, from a range of addresses or from another group.

    The rule is named, tagged and, without `description`, described by `purpose`. Raises AskedWrongly for a range that
    is nearly the world.
    """
    if cidr is not None:
        addresses.not_the_world(cidr, f"infra: the rule {purpose} opens port {port}")
    aws.vpc.SecurityGroupIngressRule(
        component.called(purpose), **_rule(component, purpose, group, port, to_port, cidr, from_group, description)
    )


def let_out(
    component: Component,
    purpose: str,
    group: pulumi.Input[str],
    *,
    port: int,
    cidr: IPv4Network | None = None,
    to_group: pulumi.Input[str] | None = None,
    to_port: int | None = None,
    description: str = "",
) -> None:
    """Declare that TCP connections to `port` (to `to_port`) go out, to a range of addresses or to another group.

    A range may be the whole world here: what runs submissions must not ask for that.
    """
    aws.vpc.SecurityGroupEgressRule(
        component.called(purpose), **_rule(component, purpose, group, port, to_port, cidr, to_group, description)
    )


def _rule(
    component: Component,
    purpose: str,
    group: pulumi.Input[str],
    port: int,
    to_port: int | None,
    cidr: IPv4Network | None,
    other_group: pulumi.Input[str] | None,
    description: str,
) -> dict[str, Any]:
    if (cidr is None) == (other_group is None):
        raise ValueError(f"the rule {purpose} must name either a range or a group at its other end")
    return {
        "security_group_id": group,
        "ip_protocol": "tcp",
        "from_port": port,
        "to_port": port if to_port is None else to_port,
        "cidr_ipv4": None if cidr is None else str(cidr),
        "referenced_security_group_id": other_group,
        "description": description or purpose,
        "tags": component.tags(purpose),
        "opts": component.inside,
    }
