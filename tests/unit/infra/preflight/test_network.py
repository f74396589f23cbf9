"""Networks that cannot work are found before anything stands in them."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network

import pytest

from contracts.survey import RouteTable, Vpc
from tests.unit.infra.preflight.account import VPC, Account, about, subnet
from tests.unit.infra.preflight.conftest import MakeEvent

HOSTS, BUILDS = ("subnet-0abc1234def567891", "subnet-0abc1234def567892"), "subnet-0abc1234def567893"
GIVEN = {"vpc": VPC, "subnet_ids": [*HOSTS], "build_subnet_id": BUILDS}


@pytest.fixture
def account() -> Account:
    """A VPC that lacks nothing: two subnets for hosts and one for builds, all with a way to the internet."""
    return Account(
        networks=(Vpc(VPC, (IPv4Network("10.0.0.0/16"),)),),
        parts=(*(subnet(name, zone) for name, zone in zip(HOSTS, ("eu-west-3a", "eu-west-3b"), strict=True)),
               subnet(BUILDS, "eu-west-3c")),
        tables=(RouteTable(VPC, True, (), "igw-1"),),
    )  # fmt: skip


def test_an_own_vpc_beside_others_is_fine(make: MakeEvent) -> None:
    told = about(make(), Account(), "network")
    assert told == [("ok", "an own VPC, 10.20.0.0/16, which overlaps with no other of the region")]


def test_an_own_vpc_that_overlaps_with_another_is_warned_of(make: MakeEvent) -> None:
    account = Account(networks=(Vpc("vpc-1", (IPv4Network("10.0.0.0/16"), IPv4Network("10.20.128.0/20"))),))
    assert about(make(), account, "network") == [("warning", "10.20.0.0/16 overlaps with vpc-1 (10.20.128.0/20)")]


def test_the_events_own_vpc_of_an_earlier_deployment_is_no_stranger(make: MakeEvent) -> None:
    own = Vpc("vpc-1", (IPv4Network("10.20.0.0/16"),), tags={"rampart:stack": "iris"})
    assert [level for level, _ in about(make(), Account(networks=(own,)), "network")] == ["ok"]


def test_addresses_of_the_vpc_itself_are_no_way_in_from_outside(make: MakeEvent) -> None:
    event = make({"allowed_cidrs": ["10.20.3.0/24"]})
    (_, (level, message)) = about(event, Account(), "network")
    assert (level, message) == (
        "warning",
        "infra.allowed_cidrs has 10.20.3.0/24, addresses of the event's own VPC (10.20.0.0/16)",
    )
    inside = make({"allowed_cidrs": ["10.20.3.0/24"], "access": "inside"})
    assert len(about(inside, Account(), "network")) == 1


def test_fewer_zones_than_asked_for_are_an_error(make: MakeEvent) -> None:
    account = Account(zone_names=("eu-west-3a", "eu-west-3b"))
    told = about(make({"network": {"availability_zones": 3}}), account, "network")
    assert ("error", "eu-west-3 has 2 availability zones, 3 are asked for") in told


def test_a_given_network_that_has_everything_is_fine(make: MakeEvent, account: Account) -> None:
    event = make({"network": GIVEN})
    where = f"{HOSTS[0]} in eu-west-3a, {HOSTS[1]} in eu-west-3b"
    assert about(event, account, "network") == [("ok", f"{VPC}: {where}")]
    assert about(event, account, "build subnet") == [("ok", f"{BUILDS} leads to the internet by igw-1")]
    assert about(event, account, "hosts' subnets") == [("ok", "they give hosts public addresses")]


def test_a_vpc_that_is_not_there_is_an_error_that_names_those_that_are(make: MakeEvent) -> None:
    event = make({"network": GIVEN})
    assert about(event, Account(), "network") == [("error", f"eu-west-3 has no VPC {VPC}")]
    assert about(event, Account(), "build subnet") == []


def test_a_subnet_of_another_vpc_is_an_error(make: MakeEvent, account: Account) -> None:
    account.parts = (account.parts[0], replace(account.parts[1], vpc_id="vpc-2"), account.parts[2])
    assert about(make({"network": GIVEN}), account, "network") == [("error", f"{VPC} has no subnet {HOSTS[1]}")]


def test_an_account_without_a_default_vpc_is_told(make: MakeEvent) -> None:
    told = about(make({"network": {"vpc": "default"}}), Account(networks=()), "network")
    assert told == [("error", "the account has no default VPC in eu-west-3")]


def test_a_default_vpc_without_default_subnets_is_told(make: MakeEvent) -> None:
    account = Account(parts=(subnet("subnet-1", "eu-west-3a", vpc="vpc-default"),))
    told = about(make({"network": {"vpc": "default"}}), account, "network")
    assert told == [("error", "the default VPC vpc-default has no default subnet")]


def test_the_default_vpc_is_looked_at_as_a_given_one(make: MakeEvent) -> None:
    parts = (
        subnet("subnet-2", "eu-west-3b", vpc="vpc-default", is_default=True),
        subnet("subnet-1", "eu-west-3c", vpc="vpc-default", is_default=True),
        subnet("subnet-0", "eu-west-3a", vpc="vpc-default"),
    )
    account = Account(parts=parts, tables=(RouteTable("vpc-default", True, (), "igw-1"),))
    event = make({"network": {"vpc": "default"}})
    assert about(event, account, "network") == [("ok", "vpc-default: subnet-1 in eu-west-3c, subnet-2 in eu-west-3b")]
    assert about(event, account, "build subnet") == [("ok", "subnet-1 leads to the internet by igw-1")]


@pytest.mark.parametrize(
    ("way_out", "is_broken", "gives_addresses", "level", "message"),
    [
        ("", False, True, "error", f"{BUILDS} has no route to the internet"),
        ("nat-1", True, True, "error", f"{BUILDS} has no route to the internet"),
        ("igw-1", False, False, "error", f"{BUILDS} leads to igw-1, but gives its machines no public address"),
        ("nat-1", False, False, "ok", f"{BUILDS} leads to the internet by nat-1"),
        ("tgw-1", False, False, "warning", f"{BUILDS} leads to tgw-1; what is behind that was not looked at"),
    ],
)
def test_builds_need_a_way_to_the_internet(
    make: MakeEvent,
    account: Account,
    way_out: str,
    is_broken: bool,
    gives_addresses: bool,
    level: str,
    message: str,
) -> None:
    account.parts = (*account.parts[:2], replace(account.parts[2], gives_addresses=gives_addresses))
    account.tables = (*account.tables, RouteTable(VPC, False, (BUILDS,), way_out, is_broken))
    assert about(make({"network": GIVEN}), account, "build subnet") == [(level, message)]


def test_a_gateway_behind_nat_is_reached_by_nobody(make: MakeEvent, account: Account) -> None:
    account.tables = (*account.tables, RouteTable(VPC, False, (BUILDS,), "nat-1"))
    told = about(make({"network": GIVEN, "access": "gateway"}), account, "build subnet")
    assert told == [("error", f"{BUILDS} leads to nat-1: nobody could reach the gateway in it")]


def test_hosts_to_be_reached_by_public_addresses_must_get_some(make: MakeEvent, account: Account) -> None:
    account.parts = (replace(account.parts[0], gives_addresses=False), *account.parts[1:])
    account.tables = (*account.tables, RouteTable(VPC, False, (HOSTS[1],), "nat-1"))
    assert about(make({"network": GIVEN}), account, "hosts' subnets") == [
        ("error", f"{HOSTS[0]}: hosts there have no public address"),
        ("error", f"{HOSTS[1]}: no route to an internet gateway"),
    ]
    assert about(make({"network": GIVEN, "access": "inside"}), account, "hosts' subnets") == []


def test_two_subnets_of_one_zone_cannot_both_mount_the_shared_files(make: MakeEvent, account: Account) -> None:
    one_zone = (*(subnet(name, "eu-west-3a") for name in HOSTS), subnet(BUILDS, "eu-west-3c"))
    crowded = replace(account, parts=one_zone)
    files = {"network": GIVEN, "storage": {"efs": True}}

    assert ("error", "infra.storage.efs: eu-west-3a has several of infra.network.subnet_ids") in about(
        make(files), crowded, "network"
    )
    assert all(level == "ok" for level, _ in about(make({"network": GIVEN}), crowded, "network"))
