"""What becomes of a failed run depends on its cause, its blame, what was lost before it."""

from __future__ import annotations

import itertools

import pytest

from contracts.work import Blame, Cause
from runner.judging.retry import Again, Budget, Final, backoff_s, decide, pauses_event

LOST_ON_A_HOST = [cause for cause in Cause if cause not in (Cause.CANCELLED, Cause.SPOT_RECLAIMED)]


@pytest.mark.parametrize(
    ("blame", "cause"), list(itertools.product((Blame.PARTICIPANT, Blame.ORGANISER), Cause)), ids=str
)
def test_what_the_participant_or_the_organiser_must_mend_is_never_run_again(blame: Blame, cause: Cause) -> None:
    assert decide(blame, cause, {}, on_demand=False, chance=0.0) == Final()


@pytest.mark.parametrize("cause", LOST_ON_A_HOST, ids=str)
def test_the_platform_may_fail_a_submission_twice_and_the_third_time_is_final(cause: Cause) -> None:
    first = decide(Blame.PLATFORM, cause, {}, on_demand=False, chance=0.0)
    second = decide(Blame.PLATFORM, cause, {Cause.BOOT_TIMEOUT: 1}, on_demand=False, chance=1.0)
    third = decide(Blame.PLATFORM, cause, {Cause.BOOT_TIMEOUT: 1, Cause.KILLED: 1}, on_demand=False, chance=0.0)
    assert (first, second, third) == (Again(5.0), Again(20.0), Final())


@pytest.mark.parametrize(
    ("lost_before", "decision"),
    [(0, Again(0.0)), (1, Again(0.0)), (2, Again(0.0, on_demand=True)), (3, Final())],
)
def test_after_three_spot_losses_one_attempt_is_made_on_demand(lost_before: int, decision: Final | Again) -> None:
    losses = {Cause.SPOT_RECLAIMED: lost_before}
    assert decide(Blame.PLATFORM, Cause.SPOT_RECLAIMED, losses, on_demand=False, chance=0.5) == decision


def test_a_spot_loss_of_a_run_on_demand_is_final() -> None:
    losses = {Cause.SPOT_RECLAIMED: 1}
    assert decide(Blame.PLATFORM, Cause.SPOT_RECLAIMED, losses, on_demand=True, chance=0.0) == Final()


def test_spot_losses_use_up_nothing_of_the_platforms_budget() -> None:
    losses = {Cause.SPOT_RECLAIMED: 3, Cause.HOST_LOST: 1}
    assert decide(Blame.PLATFORM, Cause.HOST_LOST, losses, on_demand=True, chance=0.0) == Again(10.0, on_demand=True)


@pytest.mark.parametrize("blame", Blame)
def test_a_cancelled_run_is_never_run_again(blame: Blame) -> None:
    assert decide(blame, Cause.CANCELLED, {}, on_demand=False, chance=0.0) == Final()


def test_the_wait_is_doubled_each_time_up_to_the_longest() -> None:
    budget = Budget(first_wait_s=10, longest_wait_s=60)
    assert [backoff_s(failures, 1.0, budget) for failures in range(1, 6)] == [10, 20, 40, 60, 60]


def test_chance_takes_at_most_half_of_the_wait() -> None:
    assert (backoff_s(3, 0.0), backoff_s(3, 0.5), backoff_s(3, 1.0)) == (20, 30, 40)


def test_the_third_organiser_error_in_a_row_pauses_the_event() -> None:
    assert [pauses_event(count) for count in range(5)] == [False, False, False, True, True]
