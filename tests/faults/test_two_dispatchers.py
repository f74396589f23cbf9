"""Dispatchers that share an event and die at random run nothing twice, lose nothing, record everything once."""

from __future__ import annotations

import random

import pytest

from tests.faults import killing
from tests.faults.conftest import Rehearse
from tests.faults.jobs import STAND_IN

SUBMISSIONS = 40


@pytest.mark.parametrize("seed", [20261121])
def test_under_two_dispatchers_each_killed_three_times_at_random_every_submission_is_trained_and_recorded_once(
    rehearse: Rehearse, seed: int
) -> None:
    event = rehearse(n_workers=4)
    ids = event.submit(*(f"s{number}" for number in range(SUBMISSIONS - 1)), code="sleep 0.1\n")
    ids += event.submit("the_last", code=STAND_IN.waits)
    killing.serve_under_fire(event, random.Random(seed), kills_each=3)
    assert sum(one.was_killed for one in event.dispatchers) == 6
    assert set(event.states().values()) == {"scored"}
    assert event.runs() == [(1, "scored")] * SUBMISSIONS
    assert event.trainings() == {f"submission_{one:09d}": 1 for one in ids}
