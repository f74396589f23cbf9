"""In an account that others use too, the reaper ends what is its own and over, and touches nothing else."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from clients.memory_instances import MemoryInstances
from contracts.instance import Instance
from runner.reaping.reaper import Outcome, Reaper

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
OVER = (NOW - timedelta(hours=1)).isoformat()
OURS = {"rampart:stack": "iris", "rampart:event": "iris", "rampart:expires-at": OVER}
KINDS = {
    "over": OURS,
    "another stack's": {**OURS, "rampart:stack": "titanic"},
    "a stack's whose name begins alike": {**OURS, "rampart:stack": "iris-2"},
    "nobody's": {},
    "somebody's who tags as we do": {"rampart:event": "iris", "rampart:expires-at": OVER},
    "kept": {**OURS, "rampart:keep": "yes"},
    "not over": {**OURS, "rampart:expires-at": (NOW + timedelta(hours=1)).isoformat()},
}


def test_of_a_thousand_mixed_instances_of_one_image_those_of_the_stack_that_are_over_are_ended_and_no_other() -> None:
    chance = random.Random(20261121)
    account = MemoryInstances(lambda: NOW)
    kinds = [chance.choice(list(KINDS)) for _ in range(1000)]
    before = [_instance(number, kind, booting=chance.random() < 0.1) for number, kind in enumerate(kinds)]
    for one in before:
        account.put(one)
    reaper = Reaper(account, stack="iris", now=lambda: NOW, sleep=lambda _: None)
    fates = reaper.end(reaper.doomed(reaper.live()))
    assert {fate.outcome for fate in fates} == {Outcome.ENDED}
    ended = {one.instance_id for one in before if account.instance(one.instance_id) != one}
    grown_up = NOW - timedelta(minutes=10)
    expected = {
        one.instance_id
        for one, kind in zip(before, kinds, strict=True)
        if kind == "over" and one.launched_at < grown_up
    }
    assert ended == expected == {fate.doomed.instance.instance_id for fate in fates}
    assert 100 < len(expected) < 200


def _instance(number: int, kind: str, *, booting: bool) -> Instance:
    age = timedelta(minutes=5) if booting else timedelta(hours=2)
    return Instance(f"i-{number:017x}", "running", "127.1.1.1", "ami-1", "t3.medium", NOW - age, tags=KINDS[kind])
