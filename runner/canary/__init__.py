"""A submission that tries thefts and breakouts, and the judgement of what stopped it."""

from runner.canary.attempts import ATTEMPTS, Attempt, digest
from runner.canary.judging import Outcome, Result
from runner.canary.report import Report
from runner.canary.running import CanaryFailed, Place, Targets, Wanted, run

__all__ = [
    "ATTEMPTS",
    "Attempt",
    "CanaryFailed",
    "Outcome",
    "Place",
    "Report",
    "Result",
    "Targets",
    "Wanted",
    "digest",
    "run",
]
