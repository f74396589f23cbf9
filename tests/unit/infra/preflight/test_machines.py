"""Instance types, their architecture, and the quotas they count against."""

from __future__ import annotations

import pytest

from contracts.survey import BaseImage, MachineType
from infra.preflight import quotas
from tests.unit.infra.preflight.account import IMAGE, ZONES, Account, about
from tests.unit.infra.preflight.conftest import MakeEvent

END = "2027-03-31T18:00:00Z"
TYPES = "instance types"


def test_types_are_looked_for_in_the_zones_the_program_would_take(make: MakeEvent) -> None:
    account = Account(zone_names=("eu-west-3c", "eu-west-3b", "eu-west-3a"))
    assert about(make(), account, TYPES) == [
        ("ok", "hosts: t3.medium offered in eu-west-3a, eu-west-3b"),
        ("ok", "image build: t3.medium offered in eu-west-3a"),
    ]


def test_a_type_that_does_not_exist_is_an_error(make: MakeEvent) -> None:
    told = about(make(instance_type="t9.huge"), Account(), TYPES)
    assert told[0] == ("error", "eu-west-3 has no type t9.huge")


def test_types_that_no_zone_offers_are_an_error_unless_others_are_taken(make: MakeEvent) -> None:
    account = Account(lacking={"c7i.large": ZONES})
    alone = about(make(instance_type="c7i.large"), account, TYPES)
    assert alone[0] == ("error", "hosts: c7i.large not offered in eu-west-3a, eu-west-3b")
    beside = about(make({"instance_types": ["c7i.large"]}), account, TYPES)
    assert beside[0] == ("warning", "hosts: c7i.large not offered in eu-west-3a, eu-west-3b; the others are taken")


def test_a_type_that_some_zones_offer_is_fine_and_told(make: MakeEvent) -> None:
    account = Account(lacking={"t3.medium": ("eu-west-3b",)})
    told = about(make(), account, TYPES)
    assert told[0] == (
        "ok",
        "hosts: t3.medium offered in eu-west-3a, eu-west-3b (t3.medium in eu-west-3a alone)",
    )


def test_the_builder_must_be_offered_in_the_one_zone_it_stands_in(make: MakeEvent) -> None:
    account = Account(lacking={"m7i.large": ("eu-west-3a",)})
    told = about(make({"image": {"instance_type": "m7i.large"}}), account, TYPES)
    assert ("error", "image build: m7i.large not offered in eu-west-3a") in told


def test_a_type_of_another_architecture_than_the_image_is_an_error(make: MakeEvent) -> None:
    account = Account()
    account.types["c7g.large"] = MachineType("c7g.large", 2, frozenset({"arm64"}))
    told = about(make({"instance_types": ["c7g.large"]}), account, TYPES)
    assert ("error", f"hosts: c7g.large (arm64) cannot run {IMAGE}, which is x86_64") in told


def test_the_gateway_is_held_against_its_own_image(make: MakeEvent) -> None:
    other = "ami-0fff1234def567890"
    account = Account()
    account.images[other] = BaseImage(other, "arm", "arm64", "available")
    told = about(make({"access": "gateway", "gateway": {"image": other}}), account, TYPES)
    assert ("error", f"gateway: t3.nano (x86_64) cannot run {other}, which is arm64") in told


def test_what_aws_chooses_by_requirements_is_not_looked_at(make: MakeEvent) -> None:
    event = make({"fleet": {"valid_until": END, "requirements": {"vcpu_min": 4}}})
    message = "fleet: AWS chooses by infra.fleet.requirements; its choice was not looked at"
    assert ("ok", message) in about(event, Account(), TYPES)


def test_everything_that_may_be_up_counts_against_the_quota(make: MakeEvent) -> None:
    types = ["c7i.large", "c7i.4xlarge"]
    event = make(
        {
            "access": "gateway",
            "network": {"subnets": "private"},
            "fleet": {
                "valid_until": END,
                "max": 5,
                "on_demand_base": 1,
                "instance_types": types,
            },
            "dask": {"valid_until": END, "max": 3, "spot": False, "worker_types": ["c6i.large"]},
        },
        n_workers=4,
        use_spot_instance=True,
    )
    assert about(event, Account(quotas={"L-1216C47A": 64, "L-34B43A08": 72}), "vCPUs") == [
        ("ok", "standard spot: 72 at most (hosts 4 x 2 + fleet 4 x 16), the quota is 72"),
        (
            "ok",
            "standard on demand: 28 at most (fleet 1 x 16 + Dask workers 3 x 2 + Dask scheduler 1 x 2 + gateway 1 x 2 "
            "+ image build 1 x 2), the quota is 64",
        ),
    ]


@pytest.mark.parametrize(
    ("quota", "level", "message"),
    [
        (6, "ok", ", the quota is 6"),
        (5, "warning", ", but the quota is 5: the rest waits"),
        (1, "error", ", but the quota of 1 takes not even one machine"),
    ],
)
def test_a_small_quota_makes_machines_wait_and_a_tiny_one_keeps_them_away(
    make: MakeEvent, quota: float, level: str, message: str
) -> None:
    needed = "standard on demand: 6 at most (hosts 2 x 2 + image build 1 x 2)"
    assert about(make(), Account(quotas={"L-1216C47A": quota}), "vCPUs") == [(level, needed + message)]


def test_a_fleet_by_requirements_counts_by_its_bound_where_it_has_one(make: MakeEvent) -> None:
    settings = {"valid_until": END, "max": 3}
    bounded = make({"fleet": {**settings, "requirements": {"vcpu_min": 4, "vcpu_max": 8}}})
    assert ("ok", "standard spot: 24 at most (fleet 3 x 8), the quota is 64") in about(bounded, Account(), "vCPUs")
    for requirements in ({"vcpu_min": 4}, {"vcpu_min": 4, "vcpu_max": 8, "gpus_min": 1}):
        unbounded = make({"fleet": {**settings, "requirements": requirements}})
        assert ("warning", "fleet: how many vCPUs spot is not known") in about(unbounded, Account(), "vCPUs")


def test_a_type_whose_quota_nobody_knows_is_named(make: MakeEvent) -> None:
    account = Account()
    account.types["u-6tb1.metal"] = MachineType("u-6tb1.metal", 448, frozenset({"x86_64"}))
    told = about(make(instance_type="u-6tb1.metal"), account, "vCPUs")
    assert ("warning", "hosts: the quota of u-6tb1.metal was not looked at") in told


@pytest.mark.parametrize(
    ("instance_type", "on_demand", "spot"),
    [
        ("t3.medium", "L-1216C47A", "L-34B43A08"),
        ("im4gn.large", "L-1216C47A", "L-34B43A08"),
        ("g5.xlarge", "L-DB2E81BA", "L-3819A6DF"),
        ("gr6.4xlarge", "L-DB2E81BA", "L-3819A6DF"),
        ("vt1.3xlarge", "L-DB2E81BA", "L-3819A6DF"),
        ("p4d.24xlarge", "L-417A185B", "L-7212CCBC"),
        ("x2iedn.xlarge", "L-7295265B", "L-E3A00192"),
        ("inf2.xlarge", "L-1945791B", "L-B5D1601B"),
        ("trn1.2xlarge", "L-2C3B7624", "L-6B0D517C"),
        ("dl1.24xlarge", "L-6E869C2A", "L-85EED4F7"),
        ("f1.2xlarge", "L-74FC7D96", "L-88CF9481"),
    ],
)
def test_every_family_has_its_quotas(instance_type: str, on_demand: str, spot: str) -> None:
    family = quotas.family_of(instance_type)
    assert family is not None
    assert (family.code("on demand"), family.code("spot")) == (on_demand, spot)


@pytest.mark.parametrize("instance_type", ["u-6tb1.metal", "hpc6a.48xlarge", "mac1.metal", "q1.large"])
def test_families_with_other_quotas_are_not_guessed(instance_type: str) -> None:
    assert quotas.family_of(instance_type) is None
