"""Settle for all property tests what a slow machine or a second run may change: nothing."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    # a run that decides over a change tries the same examples every time; everybody else's look for new ones
    derandomize="CI" in os.environ,
    database=None,
)
settings.load_profile("house")
