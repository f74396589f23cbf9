"""A host is reached by the way the stack says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.infra import Access
from contracts.instance import Instance, Pool
from contracts.work import HostAddress
from runner.hosts import LaunchSettings, Tempo, WayIn
from runner.hosts.capacity import Capacity

KEY = Path("/keys/id")
INSTANCE = Instance(
    "i-1",
    "running",
    "203.0.113.9",
    "ami-1",
    "t3.medium",
    datetime(2026, 11, 20, tzinfo=UTC),
    private_address="10.20.0.9",
)
GATEWAY = HostAddress("i-gate", "203.0.113.1", "ubuntu", host_key="ssh-ed25519 GATE", key_path=KEY)
TUNNEL = ("aws", "ec2-instance-connect", "open-tunnel", "--region", "eu-west-3")


def host_by(way: WayIn, instance: Instance = INSTANCE) -> HostAddress:
    return way.host(instance, user="ubuntu", host_key="ssh-ed25519 HOST", key_path=KEY)


def test_a_public_host_is_dialled_at_its_public_address() -> None:
    assert host_by(WayIn()) == HostAddress("i-1", "203.0.113.9", "ubuntu", 22, "ssh-ed25519 HOST", KEY)


def test_a_dispatcher_inside_dials_the_private_address() -> None:
    assert host_by(WayIn(Access.INSIDE)).address == "10.20.0.9"


def test_a_host_behind_the_gateway_is_known_by_its_private_address_and_its_own_key() -> None:
    host = host_by(WayIn(Access.GATEWAY, gateway=GATEWAY))
    assert (host.address, host.host_key, host.via) == ("10.20.0.9", "ssh-ed25519 HOST", GATEWAY)


def test_a_tunnel_is_asked_for_by_the_instance() -> None:
    host = host_by(WayIn(Access.EICE, tunnel=TUNNEL))
    assert host.proxy_command == (*TUNNEL, "--instance-id", "i-1")
    assert (host.address, host.via) == ("10.20.0.9", None)


@pytest.mark.parametrize("access", [Access.INSIDE, Access.GATEWAY, Access.EICE])
def test_a_host_without_a_private_address_is_not_there_yet(access: Access) -> None:
    assert WayIn(access).dialled(replace(INSTANCE, private_address="")) == ""


@pytest.mark.parametrize("access", Access)
def test_every_way_has_a_hint_for_hosts_that_do_not_answer(access: Access) -> None:
    assert "does the image run sshd?" in WayIn(access).hint


def test_a_run_is_taken_up_over_the_gateway_of_today() -> None:
    way = WayIn(Access.GATEWAY, gateway=replace(GATEWAY, host_id="i-new"))
    kept = host_by(WayIn(Access.GATEWAY, gateway=GATEWAY))
    assert way.renewed(kept) == replace(kept, via=way.gateway)


def test_a_host_that_was_reached_otherwise_is_reached_so_again() -> None:
    public, behind = host_by(WayIn()), host_by(WayIn(Access.GATEWAY, gateway=GATEWAY))
    assert WayIn(Access.GATEWAY, gateway=GATEWAY).renewed(public) == public
    assert WayIn().renewed(behind) == behind


def test_pools_are_types_by_subnets_the_preferred_type_first() -> None:
    settings = LaunchSettings(
        "iris", "iris", "iris", "t3.medium", "ubuntu", KEY,
        subnet_ids=("subnet-a", "subnet-b"), further_types=("m7i.large", "t3.medium", "c7i.large"),
    )  # fmt: skip
    assert settings.types == ("t3.medium", "m7i.large", "c7i.large")
    assert settings.pools == tuple(Pool(kind, subnet) for kind in settings.types for subnet in ("subnet-a", "subnet-b"))


def test_subnets_take_turns_and_the_preferred_type_stays_first() -> None:
    pools = [Pool(kind, subnet) for kind in ("t3.medium", "m7i.large") for subnet in ("a", "b")]
    capacity = Capacity(pools, Tempo(), lambda: 0.0)
    assert capacity.choices() == tuple(pools)
    assert capacity.choices() == tuple(Pool(kind, subnet) for kind in ("t3.medium", "m7i.large") for subnet in "ba")
    assert capacity.choices() == tuple(pools)
