"""The reaper beside a dispatcher ends at one look what it marked at the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from clients.memory_instances import MemoryInstances
from contracts.errors import CloudError
from contracts.instance import Instance
from runner.interruption import Interrupted
from runner.reaping.reaper import Reaper
from runner.reaping.sweeping import Sweeper

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def account() -> MemoryInstances:
    return MemoryInstances(lambda: NOW)


def put(account: MemoryInstances, instance_id: str, *, expires: timedelta) -> None:
    tags = {"rampart:stack": "iris", "rampart:expires-at": (NOW + expires).isoformat()}
    account.put(
        Instance(instance_id, "running", "127.9.9.9", "ami-1", "t3.medium", NOW - timedelta(hours=5), tags=tags)
    )


def state(account: MemoryInstances, instance_id: str) -> str:
    found = account.instance(instance_id)
    assert found is not None
    return found.state


def sweeper(account: MemoryInstances) -> Sweeper:
    return Sweeper(Reaper(account, stack="iris", now=lambda: NOW, sleep=lambda _: None))


def test_what_is_past_its_time_is_ended_at_the_second_look(account: MemoryInstances) -> None:
    put(account, "i-old", expires=timedelta(hours=-1))
    put(account, "i-young", expires=timedelta(hours=1))
    sweeping = sweeper(account)
    sweeping.sweep()
    assert state(account, "i-old") == "running"
    sweeping.sweep()
    assert (state(account, "i-old"), state(account, "i-young")) == ("terminated", "running")


def test_what_got_more_time_between_two_looks_is_spared(account: MemoryInstances) -> None:
    put(account, "i-1", expires=timedelta(hours=-1))
    sweeping = sweeper(account)
    sweeping.sweep()
    put(account, "i-1", expires=timedelta(hours=1))
    sweeping.sweep()
    sweeping.sweep()
    assert state(account, "i-1") == "running"


@pytest.mark.parametrize("error", [CloudError("the API is down"), Interrupted(), ZeroDivisionError()])
def test_a_look_that_fails_is_told_and_the_next_one_is_taken(
    account: MemoryInstances, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing:
        fails = True

        def instances(self, tags: Mapping[str, str]) -> list[Instance]:
            if self.fails:
                raise error
            return account.instances(tags)

        def terminate(self, instance_ids: Sequence[str]) -> None:
            account.terminate(instance_ids)

    put(account, "i-1", expires=timedelta(hours=-1))
    failing = Failing()
    sweeping = Sweeper(Reaper(failing, stack="iris", now=lambda: NOW, sleep=lambda _: None))
    with caplog.at_level("INFO"):
        sweeping.sweep()
    assert "past their time" in caplog.text
    failing.fails = False
    sweeping.sweep()
    sweeping.sweep()
    assert state(account, "i-1") == "terminated"
