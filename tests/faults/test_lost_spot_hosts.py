"""A submission whose spot instances are taken again and again gets one that is not, once."""

from __future__ import annotations

from runner.carrying.patience import Patience
from runner.judging.retry import Budget
from tests.faults.conftest import Rehearse
from tests.faults.jobs import STAND_IN


def test_after_three_lost_spot_instances_a_submission_runs_on_demand_and_fails_with_the_last_of_its_budget(
    rehearse_on_cloud: Rehearse,
) -> None:
    event = rehearse_on_cloud(n_workers=1, spot=True)
    assert event.hosts is not None
    event.submit("one", code=STAND_IN.waits)
    dispatcher = event.dispatcher(patience=Patience(budget=Budget(platform=1, first_wait_s=0.2)))
    markets = {}
    for attempt in (1, 2, 3, 4):
        event.until_training(attempt=attempt)
        (up,) = [one for one in event.hosts.every() if one["State"]["Name"] == "running"]
        markets[attempt] = up.get("InstanceLifecycle", "on-demand")
        if attempt < 4:
            event.hosts.cloud.local.spot_notice(up["InstanceId"], seconds=0)
        else:
            event.hosts.lose(up["InstanceId"])
    dispatcher.await_end()
    assert markets == {1: "spot", 2: "spot", 3: "spot", 4: "on-demand"}
    assert event.attempts() == [
        (1, "requeued", "spot-reclaimed"),
        (2, "requeued", "spot-reclaimed"),
        (3, "requeued", "spot-reclaimed"),
        (4, "failed", "host-lost"),
    ]
    assert event.rows("SELECT blame FROM rampart_runs WHERE stage = 'failed'") == [("platform",)]
    assert event.states() == {"one": "checking_error"}


def test_a_recommendation_to_rebalance_ends_nothing(rehearse_on_cloud: Rehearse) -> None:
    event = rehearse_on_cloud(n_workers=1, spot=True)
    assert event.hosts is not None
    event.submit("one", code=STAND_IN.waits)
    dispatcher = event.dispatcher()
    event.until_training()
    cloud = event.hosts.cloud.local
    (host,) = event.hosts.live()
    cloud.rebalance(host)
    looks = cloud.calls()["DescribeSpotInstanceRequests"]
    event.until("notices are looked for twice", lambda: cloud.calls()["DescribeSpotInstanceRequests"] > looks + 1)
    assert event.hosts.live() == [host]
    event.await_end(dispatcher)
    assert event.attempts() == [(1, "scored", None)]
    assert [one["InstanceId"] for one in event.hosts.every()] == [host]
