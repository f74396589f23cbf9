"""Prometheus is told what ended here and what every dispatcher's queue holds."""

from __future__ import annotations

from pathlib import Path

from contracts.errors import StoreUnavailable
from contracts.work import Blame, Cause, Failed, Work
from runner.progress import CloudAsked, LeasesRenewed, RunEnded, SecurityEvent, Stage, StageStarted
from runner.store import EventCounts
from runner.telling.metrics import Metrics

WORK = Work(7, "iris", "red", "one", 1, Path("/s"), Path("/l"), Path("/p"), timeout_s=60)
COUNTS = EventCounts(waiting=3, held=1, runs_by_stage={"wait": 2}, hosts=2, orphaned=1, is_paused=True)


def test_runs_are_counted_by_outcome_and_cause_with_the_time_of_their_stages() -> None:
    metrics = Metrics()
    failed = Failed(WORK, Blame.PARTICIPANT, Cause.RAISED, "it raised")
    metrics(StageStarted(WORK, Stage.PUSH))
    for seconds in (1.5, 2.0):
        metrics(RunEnded(WORK, failed, {Stage.PUSH: seconds}))
    metrics(RunEnded(WORK, None, {}))
    lines = metrics.text().splitlines()
    assert 'rampart_runs_ended_total{event="iris",outcome="failed",blame="participant",cause="raised"} 2' in lines
    assert 'rampart_runs_ended_total{event="iris",outcome="requeued",blame="",cause=""} 1' in lines
    assert 'rampart_stage_seconds_total{event="iris",stage="push"} 3.5' in lines
    assert 'rampart_stages_total{event="iris",stage="push"} 2' in lines
    assert lines.count("# TYPE rampart_runs_ended_total counter") == 1


def test_the_queue_is_counted_when_somebody_looks() -> None:
    metrics = Metrics()
    metrics.watch("iris", lambda: COUNTS)
    lines = metrics.text().splitlines()
    assert 'rampart_submissions_waiting{event="iris"} 3' in lines
    assert 'rampart_runs{event="iris",stage="wait"} 2' in lines
    assert 'rampart_event_paused{event="iris"} 1' in lines


def test_a_database_that_is_away_hides_no_other_figure() -> None:
    def away() -> EventCounts:
        raise StoreUnavailable("away")

    metrics = Metrics()
    metrics.watch("mars", away)
    metrics.watch("iris", lambda: COUNTS)
    lines = metrics.text().splitlines()
    assert 'rampart_database_up{event="mars"} 0' in lines
    assert 'rampart_database_up{event="iris"} 1' in lines


def test_renewals_of_leases_and_calls_of_aws_are_counted_with_those_that_failed() -> None:
    metrics = Metrics()
    for succeeded in (True, True, False):
        metrics(LeasesRenewed("iris", succeeded))
    for code in ("", "RequestLimitExceeded"):
        metrics(CloudAsked("iris", "CreateFleet", code))
    lines = metrics.text().splitlines()
    assert 'rampart_lease_renewals_total{event="iris",outcome="renewed"} 2' in lines
    assert 'rampart_lease_renewals_total{event="iris",outcome="failed"} 1' in lines
    assert 'rampart_aws_calls_total{event="iris",action="CreateFleet",code=""} 1' in lines
    assert 'rampart_aws_calls_total{event="iris",action="CreateFleet",code="RequestLimitExceeded"} 1' in lines


def test_wrong_host_keys_are_counted() -> None:
    metrics = Metrics()
    metrics(SecurityEvent("iris", "host-key-refused", "i-1"))
    assert 'rampart_security_events_total{event="iris",kind="host-key-refused"} 1' in metrics.text().splitlines()


def test_a_label_is_escaped() -> None:
    metrics = Metrics()
    metrics.watch('a"b\\c\nd', lambda: COUNTS)
    assert r'rampart_hosts{event="a\"b\\c\nd"} 2' in metrics.text().splitlines()
