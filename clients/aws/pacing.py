"""Keep what is asked of EC2 below the rate at which it refuses."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from contracts.errors import CloudError

T = TypeVar("T")
Heard = Callable[[str, str], object]
"""Told of each call that was made: the action, and the code AWS refused it with, empty where it did not."""


def nobody(action: str, code: str) -> None:
    """Listen to nothing."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many calls at once, then so many a second."""

    burst: float
    per_s: float


RATES: Mapping[str, Rate] = {
    "CreateFleet": Rate(2, 1),  # undocumented; in practice low single digits a second
    "CreateLaunchTemplateVersion": Rate(50, 2.5),
    "DeleteLaunchTemplateVersions": Rate(25, 2.5),
    "DescribeInstances": Rate(50, 10),
    "DescribeLaunchTemplateVersions": Rate(50, 10),
    "DescribeSecurityGroups": Rate(25, 5),
    "DescribeSpotInstanceRequests": Rate(25, 5),
    "RunInstances": Rate(2, 1),
    "TerminateInstances": Rate(50, 2.5),
}
"""Half of what EC2 grants an account in a region, which others use too. Every action has a bucket of its own."""

THROTTLED = frozenset(
    {
        "CallRateLimitExceededException",  # Image Builder's own; botocore does not know it for one to try again
        "EC2ThrottledException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_TRIES = 10
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 20.0


class Bucket:
    """A token bucket by the caller's clock; it may go below zero: who takes then waits its turn."""

    def __init__(self, rate: Rate, now: float) -> None:
        self._rate = rate
        self._level = rate.burst
        self._at = now

    def take(self, now: float) -> float:
        """Take one token; gives how many seconds to wait before it may be used."""
        self._level = min(self._rate.burst, self._level + max(0.0, now - self._at) * self._rate.per_s)
        self._at = now
        self._level -= 1
        return max(0.0, -self._level / self._rate.per_s)


class Pacing:
    """The rates of one region, for every thread that asks."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
        chance: Callable[[], float] = random.random,
        rates: Mapping[str, Rate] = RATES,
        heard: Heard = nobody,
    ) -> None:
        self._clock = clock
        self._wait = wait
        self._chance = chance
        self._heard = heard
        self._buckets = {action: Bucket(rate, clock()) for action, rate in rates.items()}
        self._lock = threading.Lock()

    def ask(self, action: str, call: Callable[[], T]) -> T:
        """Make a call when it is its turn; one that is throttled is made again, later each time, by chance."""
        for tried in range(_TRIES):
            self._await_turn(action)
            try:
                answer = call()
            except CloudError as error:
                self._heard(action, error.code or "unknown")
                if error.code not in THROTTLED or tried == _TRIES - 1:
                    raise
            else:
                self._heard(action, "")
                return answer
            self._wait(self._chance() * min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0**tried))
        raise AssertionError("unreachable")

    def _await_turn(self, action: str) -> None:
        with self._lock:
            pause_s = self._buckets[action].take(self._clock())
        if pause_s > 0:
            self._wait(pause_s)
