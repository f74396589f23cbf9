"""Prices are AWS's, with the arithmetic beside them; what is not to be had is said, never made up."""

from __future__ import annotations

from datetime import timedelta

from tests.unit.infra.preflight.account import Account, about
from tests.unit.infra.preflight.conftest import MakeEvent

END = "2027-03-31T18:00:00Z"
ALONE = "(machines alone: no disks, addresses, traffic)"


def test_an_hour_and_a_submission_are_priced_on_demand(make: MakeEvent) -> None:
    event = make(timeout=3000, boot_timeout_s=600)
    assert about(event, Account(), "price") == [
        ("ok", f"hosts: 0.0800 USD an hour at most = 2 on-demand t3.medium x 0.0400 {ALONE}"),
        (
            "ok",
            "a submission: 0.0400 USD an attempt at most = 0.0400 an hour x (600 s to boot + 3000 s to run), the "
            "longest that is allowed",
        ),
        ("ok", f"image build: 0.0400 USD an hour at most = 1 on-demand t3.medium x 0.0400 {ALONE}"),
    ]


def test_the_spot_price_of_a_type_is_the_median_of_its_zones(make: MakeEvent) -> None:
    account = Account(spot={"t3.medium": (0.01, 0.9, 0.02)})
    told = about(make(use_spot_instance=True), account, "price")
    assert told[0] == ("ok", f"hosts: 0.0400 USD an hour at most = 2 spot t3.medium x 0.0200 {ALONE}")


def test_of_several_types_the_dearest_bounds_the_price(make: MakeEvent) -> None:
    account = Account(on_demand={"t3.medium": 0.04, "m7i.large": 0.1})
    told = about(make({"instance_types": ["m7i.large", "c7i.large"]}), account, "price")
    assert told[0] == ("warning", "AWS tells no on-demand price of c7i.large")
    assert told[1] == (
        "ok",
        "hosts: 0.2000 USD an hour at most = 2 on-demand m7i.large x 0.1000, the dearest of 3 types, not counting "
        f"c7i.large {ALONE}",
    )


def test_a_fleet_of_both_markets_is_priced_by_both(make: MakeEvent) -> None:
    fleet = {"valid_until": END, "max": 5, "on_demand_base": 1}
    account = Account(spot={"t3.medium": (0.01,)})
    told = about(make({"fleet": fleet}), account, "price")
    terms = "1 on-demand t3.medium x 0.0400 + 4 spot t3.medium x 0.0100"
    assert ("ok", f"fleet: 0.0800 USD an hour at most = {terms} {ALONE}") in told


def test_prices_that_are_older_than_the_history_count_for_nothing(make: MakeEvent) -> None:
    account = Account(spot={"t3.medium": (0.00001,)}, spot_age=timedelta(days=91))
    told = about(make(use_spot_instance=True), account, "price")
    assert told[0] == ("warning", "AWS tells no spot price of t3.medium")
    assert not any("hosts" in message or "submission" in message for _, message in told)


def test_a_price_list_that_is_not_to_be_had_is_told_once(make: MakeEvent) -> None:
    account = Account(refused={"on_demand_prices": "AccessDenied"}, spot={"t3.medium": (0.01,)})
    told = about(make(use_spot_instance=True), account, "price")
    assert told[0] == ("warning", "on-demand prices were not looked at: could not ask for on_demand_prices")
    assert [level for level, _ in told] == ["warning", "ok", "ok"]
    assert account.asked["on_demand_prices"] == 1


def test_what_aws_chooses_by_requirements_has_no_price(make: MakeEvent) -> None:
    fleet = {"valid_until": END, "requirements": {"vcpu_min": 4}}
    told = about(make({"fleet": fleet}), Account(), "price")
    assert told[0] == ("warning", "fleet: AWS chooses the types; their spot price is not known")
