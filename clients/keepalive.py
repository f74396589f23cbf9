"""Say how soon a connection is known to be dead."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Keepalive:
    """Times are in seconds.

    A line that is idle for `every_s` is asked for an answer; a host from which not a byte has come for `silence_s`
    counts as lost; one that is dialled has `answer_s` for each step of it. Whoever waits for bytes looks up every
    `look_s`: paramiko's own 0.1 s costs a core for some thousand idle connections.
    """

    every_s: float = 5.0
    silence_s: float = 15.0
    answer_s: float = 20.0
    look_s: float = 3.0


KEEPALIVE = Keepalive()
"""What the documentation promises."""
