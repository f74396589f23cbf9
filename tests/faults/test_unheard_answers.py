"""What EC2 did and nobody heard of is found again, spared by the reaper, ended by it alone if nobody comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clients.aws.ec2 import Ec2
from runner.reaping.reaper import Limits, Outcome, Reaper
from tests.faults.conftest import Rehearse
from tests.faults.jobs import STAND_IN
from tests.faults.rehearsal import Rehearsal
from tests.faults.troubles import Trouble


def reaper(event: Rehearsal, *, later: timedelta = timedelta(), limits: Limits | None = None) -> Reaper:
    """The stack's reaper, at another time than now."""
    assert event.hosts is not None
    ec2 = Ec2.in_region(event.hosts.outputs.region)
    now = lambda: datetime.now(UTC) + later  # noqa: E731
    return Reaper(ec2, stack=event.hosts.outputs.stack, now=now, sleep=lambda _: None, limits=limits)


def test_a_launch_whose_answer_does_not_come_in_time_is_asked_for_again_and_gives_the_same_instance(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=1)
    event.submit("one")
    assert "an answer of EC2 got lost" in event.dispatcher(Trouble.ANSWER_LOST).await_end()
    assert event.hosts is not None
    assert len(event.hosts.every()) == 1
    assert event.runs() == [(1, "scored")]


@pytest.mark.usefixtures("aws_environment")
def test_an_instance_that_is_launched_and_not_yet_written_down_is_spared_by_the_reaper_and_adopted(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=1)
    event.submit("one")
    event.dispatcher(Trouble.KILLED_AFTER_LAUNCH).await_kill()
    assert event.hosts is not None
    (launched,) = event.hosts.live()
    reaping = reaper(event)
    assert [one.instance_id for one in reaping.live()] == [launched]
    assert reaping.doomed(reaping.live()) == ()
    event.dispatcher().await_end()
    assert [one["InstanceId"] for one in event.hosts.every()] == [launched]
    assert event.runs() == [(1, "scored")]


@pytest.mark.usefixtures("aws_environment")
def test_a_dispatcher_that_dies_for_good_leaves_instances_that_the_reaper_ends_by_their_tags_alone(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=4)
    event.submit("one", "two", "three", "four", code=STAND_IN.waits)
    lonely = event.dispatcher()
    event.until_training(4)
    lonely.kill()
    assert event.hosts is not None
    left = sorted(event.hosts.live())
    assert len(left) == 4
    a_day_later = reaper(event, later=timedelta(days=1))
    marked = a_day_later.doomed(a_day_later.live())
    fates = a_day_later.end(marked)
    assert sorted(fate.doomed.instance.instance_id for fate in fates) == left
    assert {fate.outcome for fate in fates} == {Outcome.ENDED}
    assert event.hosts.live() == []
    event.is_abandoned = True
