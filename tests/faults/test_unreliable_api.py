"""An EC2 that refuses, forgets or pretends for a while costs time, never a run or an instance."""

from __future__ import annotations

import pytest

from clients.aws.ec2 import Ec2
from localcloud.injections import HollowTermination, Throttle, Unseen
from tests.faults.conftest import Rehearse
from tests.faults.jobs import STAND_IN


def test_an_instance_that_ec2_does_not_know_for_a_while_after_its_launch_is_waited_for(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=1)
    assert event.hosts is not None
    event.submit("one")
    event.hosts.cloud.local.inject(Unseen(younger_than_s=3.0))
    event.dispatcher().await_end()
    assert event.runs() == [(1, "scored")]
    assert len(event.hosts.every()) == 1


def test_throttling_of_every_kind_of_call_consumes_no_attempt_and_keeps_no_host_from_being_ended(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=3)
    assert event.hosts is not None
    event.submit("one", "two", "three")
    cloud = event.hosts.cloud.local
    before = cloud.calls()
    for action in ("CreateFleet", "CreateLaunchTemplateVersion", "DescribeInstances", "TerminateInstances"):
        cloud.inject(Throttle(action), count=2)
    event.dispatcher().await_end()
    asked = cloud.calls() - before
    assert event.attempts() == [(1, "scored", None)] * 3
    assert len(event.hosts.every()) == 3
    assert cloud.injections() == []
    assert asked["CreateFleet"] <= 3 + 2, asked
    assert asked["TerminateInstances"] <= 3 + 2, asked


@pytest.mark.usefixtures("aws_environment")
def test_one_id_that_ec2_does_not_know_keeps_no_other_of_its_batch_from_being_ended(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=3)
    assert event.hosts is not None
    event.submit("one", "two", "three", code=STAND_IN.waits)
    dispatcher = event.dispatcher()
    event.until_training(3)
    dispatcher.kill()
    live = event.hosts.live()
    unknown = [f"i-{number:017x}" for number in range(47)]
    Ec2.in_region(event.hosts.outputs.region).terminate([unknown[0], *live, *unknown[1:]])
    assert len(live) == 3
    assert event.hosts.live() == []
    event.is_abandoned = True


def test_an_instance_that_goes_on_though_its_end_was_promised_is_told_again_until_it_ends(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=1)
    assert event.hosts is not None
    event.submit("one")
    cloud = event.hosts.cloud.local
    before = cloud.calls()
    cloud.inject(HollowTermination(), count=2)
    event.dispatcher().await_end()
    assert (cloud.calls() - before)["TerminateInstances"] == 3
