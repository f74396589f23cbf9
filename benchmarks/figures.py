"""Hold one measured figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """What was measured, in which unit, what is to be reached, and what a reader must know to judge it."""

    what: str
    value: float
    unit: str
    target: str = ""
    note: str = ""


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that `percent` of all values do not pass (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
