"""Preflight reports everything at once, and nothing AWS refuses to tell keeps it from the rest."""

from __future__ import annotations

import pytest

from contracts.findings import Level
from infra.preflight import Survey
from tests.unit.infra.preflight.account import Account, about, found
from tests.unit.infra.preflight.conftest import MakeEvent

VERBS = [name for name in vars(Survey) if not name.startswith("_")]
EVERYTHING = {
    "access": "gateway",
    "network": {"subnets": "private"},
    "fleet": {"valid_until": "2027-03-31T18:00:00Z"},
    "budget": {"monthly_usd": 50, "emails": ["organiser@example.org"]},
}


def test_an_event_that_lacks_nothing_has_no_error_and_no_warning(make: MakeEvent) -> None:
    findings = found(make())
    assert {one.level for one in findings} == {Level.OK}
    assert [one.about for one in findings[:2]] == ["account", "region"]
    assert {one.about for one in findings} == {
        "account", "region", "key", "network", "build subnet", "instance types", "parent image", "vCPUs", "roles",
        "price",
    }  # fmt: skip


def test_the_account_and_who_we_are_are_told_first(make: MakeEvent) -> None:
    first = found(make())[0]
    assert first.message == "111122223333, as arn:aws:iam::111122223333:user/organiser"


def test_where_aws_does_not_know_us_nothing_else_is_asked(make: MakeEvent) -> None:
    account = Account(refused={"caller": "ExpiredToken"})
    findings = found(make(), account)
    assert findings[0].level is Level.ERROR
    assert findings[-1].message == "network, images, quotas, roles and prices were not looked at"
    assert set(account.asked) == {"caller"}
    assert "key" in {one.about for one in findings}


@pytest.mark.parametrize(
    ("status", "message"),
    [("not-opted-in", "eu-west-3 is not enabled in this account"), ("", "AWS has no region eu-west-3")],
)
def test_a_region_that_is_not_ours_is_the_one_thing_to_mend(make: MakeEvent, status: str, message: str) -> None:
    account = Account(status=status)
    assert about(make(), account, "region") == [("error", message)]
    assert set(account.asked) == {"caller", "region_status"}


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "caller"])
def test_what_aws_refuses_to_tell_is_a_warning_that_names_it_and_hides_nothing_else(make: MakeEvent, verb: str) -> None:
    event = make(EVERYTHING, key_name="mine")
    account = Account(refused={verb: "AccessDenied"}, key_pairs=("mine",))
    everything = {(one.about, one.level) for one in found(event, Account(key_pairs=("mine",)))}
    findings = found(event, account)
    assert [one for one in findings if one.level is Level.ERROR] == []
    if account.asked[verb]:
        told = [one for one in findings if f"could not ask for {verb}" in one.message]
        assert told
        assert {(one.level, one.hint) for one in told} == {(Level.WARNING, "ask for the permission")}
        assert {about for about, _ in everything} == {one.about for one in findings}


def test_each_question_is_asked_once(make: MakeEvent) -> None:
    account = Account()
    found(make(EVERYTHING), account)
    repeatable = {"quota", "has_role"}
    assert {verb: count for verb, count in account.asked.items() if count > 1 and verb not in repeatable} == {}


def test_every_finding_that_is_not_fine_says_what_to_do(make: MakeEvent) -> None:
    account = Account(parameters={}, missing_roles=("AWSServiceRoleForEC2Fleet",), quotas={"L-1216C47A": 1.0})
    bad = [one for one in found(make(), account) if one.level is not Level.OK]
    assert {one.about for one in bad} == {"parent image", "roles", "vCPUs"}
    assert all(one.hint for one in bad)
