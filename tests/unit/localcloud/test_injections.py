"""How long a fault lasts, how often it strikes, and whom it concerns."""

from __future__ import annotations

import pytest

from contracts.errors import AskedWrongly, UnknownName
from localcloud.injections import (
    Freeze,
    HollowTermination,
    Injections,
    LostAnswer,
    Market,
    NoCapacity,
    Pool,
    Quota,
    Throttle,
    Unseen,
    made_from,
    names_action,
)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def injections(clock: Clock) -> Injections:
    return Injections(clock)


def lost(injections: Injections) -> bool:
    return injections.strike(LostAnswer, lambda fault: names_action(fault, "RunInstances")) is not None


def test_a_fault_strikes_as_often_as_it_was_asked_for(injections: Injections) -> None:
    injections.add(LostAnswer("RunInstances"), count=2)
    assert [lost(injections) for _ in range(3)] == [True, True, False]
    assert injections.active() == []


def test_a_fault_that_concerns_something_else_is_not_used_up(injections: Injections) -> None:
    injections.add(LostAnswer("CreateFleet"), count=1)
    assert not lost(injections)
    assert len(injections.active()) == 1


def test_a_fault_is_over_after_its_time(injections: Injections, clock: Clock) -> None:
    injections.add(LostAnswer("*"), seconds=60)
    clock.now += 59
    assert lost(injections)
    clock.now += 1
    assert not lost(injections)


def test_a_fault_that_was_undone_cannot_be_undone_again(injections: Injections) -> None:
    name = injections.add(Freeze("i-1"))
    assert injections.remove(name) == Freeze("i-1")
    with pytest.raises(UnknownName):
        injections.remove(name)


def test_dice_fall_the_same_way_for_the_same_seed(injections: Injections) -> None:
    def throws(seed: int) -> list[bool]:
        name = injections.add(Throttle(fraction=0.5, seed=seed))
        found = [injections.strike(Throttle, lambda _fault: True) is not None for _ in range(20)]
        injections.remove(name)
        return found

    assert throws(1) == throws(1)
    assert throws(1) != throws(2)
    assert 0 < sum(throws(1)) < 20


@pytest.mark.parametrize(
    ("fault", "concerned"),
    [
        (NoCapacity(), True),
        (NoCapacity(instance_type="t3.small", subnet_id="subnet-1", market=Market.SPOT), True),
        (NoCapacity(instance_type="c5.large"), False),
        (NoCapacity(subnet_id="subnet-2"), False),
        (NoCapacity(market=Market.ON_DEMAND), False),
    ],
)
def test_a_pool_is_concerned_where_all_that_is_said_fits(fault: NoCapacity, concerned: bool) -> None:
    assert fault.concerns(Pool("t3.small", "subnet-1", Market.SPOT)) is concerned


@pytest.mark.parametrize(
    ("fault", "hidden"),
    [
        (Unseen("i-1"), True),
        (Unseen("i-2"), False),
        (Unseen(younger_than_s=10), True),
        (Unseen(younger_than_s=5), False),
        (Unseen("i-1", younger_than_s=5), False),
    ],
)
def test_an_instance_of_five_seconds_is_hidden_by_its_name_or_its_age(fault: Unseen, hidden: bool) -> None:
    assert fault.hides("i-1", 5.0) is hidden


def test_a_fault_comes_back_from_what_the_command_line_sends() -> None:
    asked = {"instance_type": None, "subnet_id": None, "market": "spot"}
    assert made_from("no-capacity", asked) == NoCapacity(market=Market.SPOT)
    assert made_from("hollow-termination", {"instance_id": None}) == HollowTermination()


@pytest.mark.parametrize("parameters", [{"market": "futures", "above": 1}, {"market": "spot"}, {"colour": "red"}])
def test_parameters_that_do_not_fit_are_refused_with_a_hint(parameters: dict[str, object]) -> None:
    with pytest.raises(AskedWrongly) as refused:
        made_from("quota", parameters)
    assert refused.value.hint == "python -m localcloud inject quota --help"
    with pytest.raises(UnknownName):
        made_from("earthquake", parameters)


def test_a_listed_fault_says_what_is_left_of_it(injections: Injections, clock: Clock) -> None:
    injections.add(Quota(Market.SPOT, above=4), count=3, seconds=60)
    clock.now += 15
    [listed] = injections.listed()
    assert listed == {
        **{"injection": "fault-1", "kind": "quota", "market": "spot", "above": 4},
        **{"left": 3, "seconds_left": 45.0},
    }


def test_every_one_unseen_for_ever_is_not_what_anybody_means(injections: Injections) -> None:
    with pytest.raises(AskedWrongly, match="which instances"):
        injections.add(Unseen())
