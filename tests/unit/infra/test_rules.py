"""Rules of security groups, as any component declares them."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Network

import pytest

from contracts.errors import AskedWrongly
from infra import rules
from infra.component import Component
from infra.tags import Labels
from tests.unit.infra.recording import Recording, record


def _declare(rule: Callable[[Component], None]) -> Recording:
    return record(lambda: rule(Component("Test", "test", Labels(event="iris", stack="iris"), None)))


def test_a_rule_lets_in_from_a_range() -> None:
    rule = _declare(
        lambda component: rules.let_in(
            component, "x-from-y", "sg-1", port=22, cidr=IPv4Network("10.0.0.0/8"), description="Why"
        )
    ).only(":SecurityGroupIngressRule")

    assert rule.name == "rampart-iris-x-from-y"
    assert {key: value for key, value in rule.inputs.items() if key != "tags"} == {
        "securityGroupId": "sg-1",
        "ipProtocol": "tcp",
        "fromPort": 22,
        "toPort": 22,
        "cidrIpv4": "10.0.0.0/8",
        "description": "Why",
    }
    assert rule.parent.endswith("::test")


def test_a_rule_leads_out_to_a_group_through_several_ports() -> None:
    rule = _declare(
        lambda component: rules.let_out(component, "x-to-y", "sg-1", port=0, to_port=65535, to_group="sg-2")
    ).only(":SecurityGroupEgressRule")

    assert {key: value for key, value in rule.inputs.items() if key != "tags"} == {
        "securityGroupId": "sg-1",
        "ipProtocol": "tcp",
        "fromPort": 0,
        "toPort": 65535,
        "referencedSecurityGroupId": "sg-2",
        "description": "x-to-y",
    }


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "128.0.0.0/1", "10.0.0.0/7"])
def test_no_component_can_let_the_world_in(cidr: str) -> None:
    with pytest.raises(AskedWrongly, match=r"x-from-y opens port 22 to .*nearly the world"):
        _declare(
            lambda component: rules.let_in(component, "x-from-y", "sg-1", port=22, cidr=IPv4Network(cidr, strict=False))
        )


def test_a_rule_without_one_end_or_with_two_is_an_error() -> None:
    with pytest.raises(ValueError, match="either a range or a group"):
        _declare(lambda component: rules.let_in(component, "x", "sg-1", port=22))
    with pytest.raises(ValueError, match="either a range or a group"):
        _declare(
            lambda component: rules.let_out(
                component, "x", "sg-1", port=22, cidr=IPv4Network("10.0.0.0/8"), to_group="sg-2"
            )
        )
