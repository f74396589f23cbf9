"""Where EC2 has no machine, or grants no more of them, submissions wait with a reason and lose nothing."""

from __future__ import annotations

from localcloud.injections import Market, NoCapacity, Quota
from tests.faults.conftest import Rehearse
from tests.faults.jobs import STAND_IN


def test_a_pool_without_a_machine_is_passed_over_in_the_same_call_and_not_asked_again_for_a_while(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=1, zones=2)
    assert event.hosts is not None
    event.submit("one", "two", "three")
    cloud = event.hosts.cloud.local
    empty, other = event.hosts.outputs.subnet_ids
    before = cloud.calls()
    cloud.inject(NoCapacity(subnet_id=empty), count=1)  # it has machines again when it is asked another time
    event.dispatcher().await_end()
    assert (cloud.calls() - before)["CreateFleet"] == 3
    assert [one["SubnetId"] for one in event.hosts.every()] == [other] * 3
    assert cloud.injections() == []
    assert event.attempts() == [(1, "scored", None)] * 3


def test_without_a_machine_anywhere_a_submission_waits_with_its_reason_and_ec2_is_asked_once_for_each_wait(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=2, zones=2)
    assert event.hosts is not None
    event.submit("one")
    cloud = event.hosts.cloud.local
    before = cloud.calls()
    missing = cloud.inject(NoCapacity())
    dispatcher = event.dispatcher()
    event.until("it has waited twice", lambda: len(event.runs()) > 2)
    event.until("it waits", event.waiting)
    (reason,) = event.waiting()
    cloud.undo(missing)
    dispatcher.await_end()
    assert "EC2 has no t3.medium free" in reason, reason
    assert "asked again in" in reason, reason
    *waits, last = event.attempts()
    assert (cloud.calls() - before)["CreateFleet"] <= len(waits) + 1
    assert {(stage, cause) for _, stage, cause in waits} == {("requeued", None)}
    assert last[1:] == ("scored", None)


def test_a_quota_lowers_how_many_run_at_a_time_to_what_was_reached_and_costs_no_attempt(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=3)
    assert event.hosts is not None
    event.submit("one", "two", "three", code=STAND_IN.waits)
    one_more = event.hosts.on_the_whole_cloud() + 1
    event.hosts.cloud.local.inject(Quota(Market.ON_DEMAND, above=one_more))
    dispatcher = event.dispatcher()
    event.until_training()
    event.until("the quota is met", event.waiting)
    assert all("the account's quota is reached with 1 hosts of ours up" in reason for reason in event.waiting())
    event.until("they could be tried again", lambda: event.rows(_TRIED_AGAIN_IF_IT_WERE_NOT_FOR_THE_LIMIT))
    event.await_end(dispatcher)
    runs = event.attempts()
    assert {cause for _, _, cause in runs} == {None}
    assert [stage for _, stage, _ in runs].count("scored") == 3
    assert len(runs) <= 5  # each of those that were refused was asked for once


_TRIED_AGAIN_IF_IT_WERE_NOT_FOR_THE_LIMIT = (
    "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM rampart_holds WHERE not_before > datetime('now', '-1 seconds'))"
)
