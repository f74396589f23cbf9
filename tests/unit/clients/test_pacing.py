"""EC2 is asked no faster than it likes, and asked again later each time when it was too fast."""

from __future__ import annotations

import pytest

from clients.aws.pacing import RATES, Bucket, Pacing, Rate
from contracts.errors import CloudError


class Time:
    """A clock that moves when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def paced(time: Time, **rates: Rate) -> Pacing:
    return Pacing(clock=lambda: time.now, wait=time.wait, chance=lambda: 1.0, rates=rates or RATES)


def test_a_burst_goes_at_once_and_the_rest_at_the_rate() -> None:
    bucket = Bucket(Rate(2, 0.5), now=0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [0, 0, 2, 4]
    assert bucket.take(100.0) == 0


def test_launches_that_must_wait_keep_no_termination_waiting() -> None:
    time = Time()
    pacing = paced(time)
    for _ in range(10):
        pacing.ask("CreateFleet", lambda: None)
    before = time.now
    assert before > 5
    pacing.ask("TerminateInstances", lambda: None)
    assert time.now == before


def test_what_is_throttled_is_asked_again_later_each_time() -> None:
    time = Time()
    refusals = [CloudError("slow down", code="RequestLimitExceeded")] * 4

    def call() -> str:
        if refusals:
            raise refusals.pop()
        return "done"

    assert paced(time).ask("DescribeInstances", call) == "done"
    assert time.waits == [0.5, 1, 2, 4]


def test_what_is_throttled_for_ever_is_raised_and_what_is_refused_at_once() -> None:
    time = Time()
    for code, waits in (("Throttling", 9), ("UnauthorizedOperation", 0)):

        def call(code: str = code) -> None:
            raise CloudError("no", code=code)

        time.waits.clear()
        with pytest.raises(CloudError):
            paced(time).ask("DescribeInstances", call)
        assert len(time.waits) == waits


def test_every_call_that_was_made_is_told_with_what_it_was_refused_for() -> None:
    time = Time()
    heard: list[tuple[str, str]] = []
    refusals = [CloudError("slow down", code="Throttling")]

    def call() -> None:
        if refusals:
            raise refusals.pop()

    pacing = Pacing(clock=lambda: time.now, wait=time.wait, heard=lambda action, code: heard.append((action, code)))
    pacing.ask("CreateFleet", call)
    assert heard == [("CreateFleet", "Throttling"), ("CreateFleet", "")]
