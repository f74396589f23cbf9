"""What outlived its time is ended, and nothing else ever is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.memory_instances import MemoryInstances
from contracts.errors import CloudError
from contracts.instance import Instance
from runner.reaping.reaper import Limits, Outcome, Reaper, doomed

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PAST, FUTURE = "2026-11-20T11:00:00+00:00", "2026-11-20T13:00:00+00:00"
OURS = {"rampart:stack": "iris", "rampart:event": "iris", "rampart:launch": "abc"}
EXPIRED = {**OURS, "rampart:expires-at": PAST}
OLD = timedelta(hours=2)
ANCIENT = timedelta(hours=25)


def instance(
    tags: Mapping[str, str], *, age: timedelta = OLD, state: str = "running", number: int = 1, image: str = "ami-1"
) -> Instance:
    return Instance(f"i-{number:017x}", state, "127.1.1.1", image, "t3.medium", NOW - age, tags=dict(tags))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (instance(EXPIRED), f"its deadline {PAST} has passed"),
        (instance({**OURS, "rampart:expires-at": NOW.isoformat()}), f"its deadline {NOW.isoformat()} has passed"),
        (instance({**OURS, "rampart:expires-at": "2026-11-20T13:30:00+02:00"}), "its deadline"),
        (instance(EXPIRED, state="pending"), "its deadline"),
        (instance(EXPIRED, state="stopping"), "its deadline"),
        (instance(EXPIRED, state="stopped"), "its deadline"),
        (instance(EXPIRED, state="terminated"), ""),
        (instance(EXPIRED, state="shutting-down"), ""),
        (instance({**OURS, "rampart:expires-at": FUTURE}), ""),
        (instance({**OURS, "rampart:expires-at": FUTURE}, age=ANCIENT), ""),
        (instance(EXPIRED, age=timedelta(minutes=9)), ""),
        (instance(EXPIRED, age=timedelta(minutes=-5)), ""),  # this machine's clock is behind
        (instance(EXPIRED, age=timedelta(minutes=10)), "its deadline"),
        (instance(OURS), ""),
        (instance(OURS, age=ANCIENT), "has no rampart:expires-at and is older than 24 h"),
        (instance({**OURS, "rampart:expires-at": "soon"}), ""),
        (instance({**OURS, "rampart:expires-at": "soon"}, age=ANCIENT), "has an unreadable rampart:expires-at ('soon'"),
        (instance({**OURS, "rampart:expires-at": "2026-11-20T11:00:00"}), ""),  # of which zone?
        (instance({**OURS, "rampart:expires-at": "2026-11-20T11:00:00"}, age=ANCIENT), "has an unreadable"),
        (instance({**EXPIRED, "rampart:keep": ""}), ""),
        (instance({**OURS, "rampart:keep": "false"}, age=ANCIENT), ""),
        (instance({**EXPIRED, "rampart:stack": "iris-2"}), ""),
        (instance({**EXPIRED, "rampart:stack": "Iris"}), ""),
        (instance({"rampart:event": "iris", "rampart:expires-at": PAST}), ""),
        (instance({**OURS, "rampart:max-lifetime-s": "7200"}), "it is older than its rampart:max-lifetime-s, 7200"),
        (instance({**OURS, "rampart:max-lifetime-s": "7199.5"}), "it is older than its rampart:max-lifetime-s"),
        (instance({**OURS, "rampart:max-lifetime-s": "7201"}), ""),
        (instance({**OURS, "rampart:max-lifetime-s": "172800"}, age=ANCIENT), ""),
        (instance({**OURS, "rampart:max-lifetime-s": "60"}, age=timedelta(minutes=9)), ""),
        (instance({**OURS, "rampart:max-lifetime-s": "60"}, state="stopped"), "it is older than"),
        (instance({**OURS, "rampart:max-lifetime-s": "60"}, state="terminated"), ""),
        (instance({**OURS, "rampart:max-lifetime-s": "60", "rampart:keep": ""}), ""),
        (instance({**OURS, "rampart:max-lifetime-s": "60", "rampart:stack": "other"}), ""),
        (instance({**OURS, "rampart:max-lifetime-s": "60", "rampart:expires-at": FUTURE}), "it is older than"),
        (instance({**EXPIRED, "rampart:max-lifetime-s": "172800"}), "its deadline"),
        (instance({**OURS, "rampart:max-lifetime-s": "172800", "rampart:expires-at": "soon"}, age=ANCIENT), ""),
        (instance({**OURS, "rampart:max-lifetime-s": "-60"}), ""),  # unreadable: as one that tells nothing
        (instance({**OURS, "rampart:max-lifetime-s": "0"}), ""),
        (instance({**OURS, "rampart:max-lifetime-s": "inf"}), ""),
        (instance({**OURS, "rampart:max-lifetime-s": "9" * 400}), ""),
        (
            instance({**OURS, "rampart:max-lifetime-s": "a day"}, age=ANCIENT),
            "has no rampart:expires-at and has an unreadable rampart:max-lifetime-s ('a day') and is older than 24 h",
        ),
        (instance({}, age=ANCIENT), ""),
    ],
    ids=lambda value: None if isinstance(value, str) else f"{value.state}, {value.tags}",
)  # fmt: skip
def test_an_instance_is_doomed_by_its_own_tags_alone(found: Instance, reason: str) -> None:
    chosen = doomed([found], NOW, stack="iris")
    assert [each.instance for each in chosen] == ([found] if reason else [])
    assert all(each.reason.startswith(reason) for each in chosen)


@pytest.mark.parametrize("pattern", ["*", "iri?", ""])
def test_a_pattern_is_no_stack(pattern: str) -> None:
    account = MemoryInstances(lambda: NOW)
    account.put(instance(EXPIRED))
    account.put(instance({**EXPIRED, "rampart:stack": ""}, number=2))
    assert doomed(account.instances({}), NOW, stack=pattern) == ()


def test_of_a_mixed_account_of_a_thousand_only_the_expired_hosts_of_the_stack_are_chosen() -> None:
    kinds = [
        EXPIRED,
        {**EXPIRED, "rampart:stack": "other"},
        {},
        {**EXPIRED, "rampart:keep": "yes"},
        {**OURS, "rampart:expires-at": FUTURE},
    ]
    account = [instance(kinds[number % 5], number=number) for number in range(1000)]
    chosen = [each.instance for each in doomed(account, NOW, stack="iris")]
    assert chosen == [found for number, found in enumerate(account) if number % 5 == 0]


tags = st.dictionaries(
    st.sampled_from(
        ["rampart:stack", "rampart:event", "rampart:expires-at", "rampart:keep", "rampart:max-lifetime-s", "Name"]
    ),
    st.sampled_from(["iris", "", "iris ", "*", PAST, FUTURE, "9999-12-31T23:59:59-14:00", "60", "999999999.9"])
    | st.text(max_size=30),
)


@given(tags, st.timedeltas(timedelta(days=-1), timedelta(days=4000)), st.sampled_from(["running", "stopped"]))
def test_nothing_is_ever_chosen_without_the_stacks_tag_or_with_the_tag_keep_or_while_it_boots(
    tags: dict[str, str], age: timedelta, state: str
) -> None:
    if doomed([instance(tags, age=age, state=state)], NOW, stack="iris"):
        assert tags.get("rampart:stack") == "iris"
        assert "rampart:keep" not in tags
        assert age >= Limits().boot_grace


class Account(MemoryInstances):
    """An account whose TerminateInstances misbehaves as EC2's does."""

    def __init__(self, *found: Instance) -> None:
        super().__init__(lambda: NOW)
        self.calls: list[list[str]] = []
        self.protected: set[str] = set()
        self.deaf_calls = 0
        self.refusal: CloudError | None = None
        for each in found:
            self.put(each)

    def terminate(self, instance_ids: Sequence[str]) -> None:
        self.calls.append(list(instance_ids))
        if self.refusal is not None:
            raise self.refusal
        if self.protected & set(instance_ids):
            raise CloudError("it is protected from termination", code="OperationNotPermitted")
        if self.deaf_calls:
            self.deaf_calls -= 1
            return
        super().terminate(instance_ids)

    def up(self) -> list[str]:
        return [found.instance_id for found in self.instances({}) if found.state != "terminated"]


class Waits(list[float]):
    """Sleeping is written down."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def reaper_of(account: Account) -> Reaper:
    return Reaper(account, stack="iris", now=lambda: NOW, sleep=Waits())


def test_marked_instances_are_ended_and_the_others_stay() -> None:
    fresh, foreign = instance(OURS, number=2), instance({**EXPIRED, "rampart:stack": "other"}, number=3)
    account = Account(instance(EXPIRED), fresh, foreign)
    reaper = reaper_of(account)
    fates = reaper.end(reaper.doomed(reaper.live()))
    assert [fate.outcome for fate in fates] == [Outcome.ENDED]
    assert account.up() == [fresh.instance_id, foreign.instance_id]


def test_tags_are_read_again_right_before_the_end() -> None:
    kept, extended, moved, ended = (instance(EXPIRED, number=number) for number in range(4))
    account = Account(kept, extended, moved, ended)
    reaper = reaper_of(account)
    marked = reaper.doomed(reaper.live())
    account.put(replace(kept, tags={**EXPIRED, "rampart:keep": "debugging"}))
    account.put(replace(extended, tags={**EXPIRED, "rampart:expires-at": FUTURE}))
    account.put(replace(moved, tags={**EXPIRED, "rampart:stack": "other"}))
    account.put(replace(ended, state="terminated"))
    outcomes = [fate.outcome for fate in reaper.end(marked)]
    assert outcomes == [Outcome.SPARED, Outcome.SPARED, Outcome.GONE, Outcome.GONE]
    assert account.calls == []


def test_what_was_not_marked_is_not_ended() -> None:
    account = Account(instance(EXPIRED))
    reaper = reaper_of(account)
    marked = reaper.doomed(reaper.live())
    account.put(instance(EXPIRED, number=2))
    reaper.end(marked)
    assert account.up() == [instance({}, number=2).instance_id]


def test_one_that_cannot_be_ended_keeps_no_other_from_it() -> None:
    account = Account(*(instance(EXPIRED, number=number) for number in range(250)))
    protected = instance({}, number=120).instance_id
    account.protected = {protected}
    reaper = reaper_of(account)
    fates = reaper.end(reaper.doomed(reaper.live()))
    assert account.up() == [protected]
    (left,) = [fate for fate in fates if fate.outcome is not Outcome.ENDED]
    assert (left.doomed.instance.instance_id, left.outcome) == (protected, Outcome.STILL_UP)
    assert "protected from termination" in left.problem
    assert max(map(len, account.calls)) == 100
    assert len(account.calls) < 25  # halving, not one call for each of a hundred


def test_an_end_that_did_not_happen_is_asked_for_again() -> None:
    account = Account(instance(EXPIRED))
    account.deaf_calls = 1
    reaper = reaper_of(account)
    assert [fate.outcome for fate in reaper.end(reaper.doomed(reaper.live()))] == [Outcome.ENDED]
    assert len(account.calls) == 2


def test_an_end_that_never_happens_is_told() -> None:
    account = Account(instance(EXPIRED))
    account.deaf_calls = 99
    reaper = reaper_of(account)
    (fate,) = reaper.end(reaper.doomed(reaper.live()))
    assert (fate.outcome, fate.problem) == (Outcome.STILL_UP, "EC2 agreed to end it and still shows it up")


def test_a_refusal_that_is_about_no_single_instance_is_not_asked_one_by_one() -> None:
    account = Account(*(instance(EXPIRED, number=number) for number in range(50)))
    account.refusal = CloudError("slow down", code="RequestLimitExceeded")
    reaper = reaper_of(account)
    fates = reaper.end(reaper.doomed(reaper.live()))
    assert {fate.outcome for fate in fates} == {Outcome.STILL_UP}
    assert len(account.calls) == 4  # one for each look


def test_an_account_that_does_not_answer_at_the_second_look_ends_nothing() -> None:
    account = Account(instance(EXPIRED))
    reaper = reaper_of(account)
    marked = reaper.doomed(reaper.live())

    def silent(tags: Mapping[str, str]) -> list[Instance]:
        raise CloudError("could not list instances")

    account.instances = silent  # type: ignore[method-assign]
    (fate,) = reaper.end(marked)
    assert (fate.outcome, fate.problem) == (Outcome.STILL_UP, "could not list instances")
    assert account.calls == []
