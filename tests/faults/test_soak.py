"""Everything goes wrong at the same time, for as long as there are submissions: `make soak` has two hundred of them."""

from __future__ import annotations

import os
import random
import time
from collections import Counter

from localcloud.injections import Throttle
from tests.faults import jobs, killing
from tests.faults.conftest import Rehearse
from tests.faults.jobs import STAND_IN

SUBMISSIONS = int(os.environ.get("RAMPART_SOAK", "40"))
SEED = int(os.environ.get("RAMPART_SOAK_SEED", "20261121"))
IS_LONG = SUBMISSIONS >= 100
KILLS_EACH = 5 if IS_LONG else 2
THROTTLED = 0.1


def test_with_dispatchers_killed_hosts_lost_and_calls_refused_at_random_every_submission_ends_and_is_recorded_once(
    rehearse_on_cloud: Rehearse,
) -> None:
    chance = random.Random(SEED)
    print(f"{SUBMISSIONS} submissions, seed {SEED}")
    event = rehearse_on_cloud(job=jobs.iris() if IS_LONG else STAND_IN, n_workers=2)
    hosts = event.hosts
    assert hosts is not None
    event.submit(*(f"s{number}" for number in range(SUBMISSIONS - 1)))
    event.submit("the_last", code=event.job.waits)
    hosts.cloud.local.inject(Throttle(fraction=THROTTLED, seed=SEED))
    lost: list[str] = []

    def lose_a_host() -> None:
        if live := hosts.live():
            lost.append(chance.choice(live))
            hosts.lose(lost[-1])

    began = time.monotonic()
    killing.serve_under_fire(event, chance, kills_each=KILLS_EACH, also=lose_a_host)
    ends = Counter(stage for _, stage in event.runs())
    print(f"{time.monotonic() - began:.0f} s, {2 * KILLS_EACH} kills, {len(lost)} hosts lost, runs: {dict(ends)}")
    assert sum(one.was_killed for one in event.dispatchers) == 2 * KILLS_EACH
    assert set(event.states().values()) == {"scored"}
    assert ends["scored"] == SUBMISSIONS
