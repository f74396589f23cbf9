"""Decide how many workers a cluster should have, from how many are wanted and since when."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """The least and the most workers. Fewer than there were are wanted for `patience_s` seconds before any is ended."""

    least: int
    most: int
    patience_s: float

    def clamp(self, wanted: int) -> int:
        """The nearest number within."""
        return max(self.least, min(wanted, self.most))


class Sizing:
    """What was wanted lately, by the caller's clock in seconds."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._asked: deque[tuple[float, int]] = deque()

    @property
    def wanted(self) -> int | None:
        """What was wanted last; None before anything was."""
        return self._asked[-1][1] if self._asked else None

    def note(self, wanted: int, at: float) -> None:
        """So many are wanted from now on."""
        self._asked.append((at, wanted))
        self._drop(at)

    def floor(self, at: float) -> int | None:
        """How many must stay: the most that were wanted at any time of the patience; None before it is over once."""
        self._drop(at)
        if not self._asked or self._asked[0][0] > at - self._bounds.patience_s:
            return None
        return self._bounds.clamp(max(wanted for _, wanted in self._asked))

    def _drop(self, at: float) -> None:
        """Forget what another wish had replaced before the patience began."""
        while len(self._asked) > 1 and self._asked[1][0] <= at - self._bounds.patience_s:
            self._asked.popleft()
