"""Tell what came of a canary."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.work import Containment
from runner.canary.judging import Outcome, Result


@dataclass(frozen=True, slots=True)
class Report:
    """All results of one canary; `is_blind` where runs get no labels."""

    containment: Containment
    is_blind: bool
    results: tuple[Result, ...]

    @property
    def stopped(self) -> int:
        """How many attempts were stopped."""
        return sum(one.outcome is Outcome.STOPPED for one in self.results)

    @property
    def tried(self) -> int:
        """How many were possible on this host."""
        return sum(one.outcome is not Outcome.NOT_POSSIBLE for one in self.results)

    @property
    def not_stopped(self) -> tuple[str, ...]:
        """The names of those that were not."""
        return tuple(one.attempt.name for one in self.results if one.outcome is Outcome.NOT_STOPPED)
