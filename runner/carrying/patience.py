"""Say how long a run is stood by while something around it does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from runner.judging.retry import BUDGET, Budget


@dataclass(frozen=True, slots=True)
class Patience:
    """Times are in seconds.

    `silence_s`: a host that does not answer, and has not ended as far as its owner knows, is waited for that long.
    A connection that is made and breaks again is made anew `breaks` times. A full disk is waited for
    `tries_to_pull` - 1 times. Pauses grow from `first_pause_s` to `longest_pause_s`.
    """

    silence_s: float = 600.0
    breaks: int = 20
    tries_to_pull: int = 6
    first_pause_s: float = 0.5
    longest_pause_s: float = 5.0
    budget: Budget = BUDGET

    def pauses(self) -> Iterator[float]:
        """Give one pause after the other, without end."""
        pause_s = self.first_pause_s
        while True:
            yield pause_s
            pause_s = min(2 * pause_s, self.longest_pause_s)


PATIENCE = Patience()
"""What the documentation promises."""
