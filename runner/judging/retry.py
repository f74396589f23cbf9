"""Decide whether a failed run is run again, by its cause, within a budget."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.work import Blame, Cause


@dataclass(frozen=True, slots=True)
class Budget:
    """How many attempts of one generation may be lost, and how long to wait before the next.

    `platform` counts all losses but those of spot instances: the last of them is final. `spot` losses are gone on with
    as many times; the last time on demand. `organiser_errors` of an event in a row pause it. Waits are in seconds.
    """

    platform: int = 3
    spot: int = 3
    organiser_errors: int = 3
    first_wait_s: float = 10.0
    longest_wait_s: float = 300.0


BUDGET = Budget()
"""What the documentation promises."""


@dataclass(frozen=True, slots=True)
class Final:
    """The failure is recorded: it would not go better another time, or was tried often enough."""


@dataclass(frozen=True, slots=True)
class Again:
    """The submission goes back to the queue, to be claimed in `wait_s` seconds at the earliest."""

    wait_s: float
    on_demand: bool = False


@dataclass(frozen=True, slots=True)
class BackToQueue:
    """A run that ended without a result that counts; `cause` None uses up no attempt."""

    reason: str
    cause: Cause | None = None
    again: Again = Again(0.0)


def decide(
    blame: Blame,
    cause: Cause,
    losses: Mapping[Cause, int],
    *,
    on_demand: bool,
    chance: float,
    budget: Budget = BUDGET,
) -> Final | Again:
    """Say what becomes of a failed run.

    `losses` are those of the generation's earlier runs; `on_demand` tells that this run had no spot instance.
    `chance` between 0 and 1 spreads those who were lost together.
    """
    if blame is not Blame.PLATFORM or cause is Cause.CANCELLED:
        return Final()
    if cause is Cause.SPOT_RECLAIMED:
        return _after_spot_loss(losses.get(cause, 0) + 1, on_demand=on_demand, budget=budget)
    lost = sum(count for which, count in losses.items() if which is not Cause.SPOT_RECLAIMED) + 1
    if lost >= budget.platform:
        return Final()
    return Again(backoff_s(lost, chance, budget), on_demand=on_demand)


def backoff_s(failures: int, chance: float, budget: Budget = BUDGET) -> float:
    """How long to wait after that many failures: doubled each time, the upper half of it by chance."""
    whole = min(budget.longest_wait_s, budget.first_wait_s * 2.0 ** (failures - 1))
    return whole * (0.5 + 0.5 * chance)


def pauses_event(organiser_errors: int, budget: Budget = BUDGET) -> bool:
    """Whether so many organiser errors in a row are reason to stop claiming: no submission would fare better."""
    return organiser_errors >= budget.organiser_errors


def _after_spot_loss(lost: int, *, on_demand: bool, budget: Budget) -> Final | Again:
    """Another spot instance can be had at once, so there is nothing to wait for."""
    if on_demand or lost > budget.spot:
        return Final()
    return Again(0.0, on_demand=lost == budget.spot)
