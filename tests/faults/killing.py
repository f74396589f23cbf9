"""Kill dispatchers at random while an event goes on, each one replaced at once."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.faults import invariants
from tests.faults.rehearsal import Rehearsal


def serve_under_fire(
    rehearsal: Rehearsal,
    chance: random.Random,
    *,
    kills_each: int,
    also: Callable[[], None] = lambda: None,
) -> None:
    """Serve the queue to its end by two dispatchers, of which each is killed `kills_each` times; then `also` is done.

    The last submission must wait to be let go on, so that there is work for all until the last kill. Chance decides
    who dies after how many results; what it is doing then, this machine's load decides.
    """
    victims = [0, 1] * kills_each
    chance.shuffle(victims)
    moments = sorted(chance.sample(range(len(rehearsal.states()) - 1), len(victims)))
    alive = [rehearsal.dispatcher(), rehearsal.dispatcher()]
    for moment, victim in zip(moments, victims, strict=True):
        _await_ended(rehearsal, moment)
        alive[victim].kill()
        assert invariants.broken_while_it_goes_on(rehearsal) == []
        also()
        alive[victim] = rehearsal.dispatcher()
    _await_ended(rehearsal, len(rehearsal.states()) - 1)
    rehearsal.await_end(*alive)


def _await_ended(rehearsal: Rehearsal, count: int) -> None:
    """Wait until so many have ended; patience begins anew with each of them."""
    for number in range(1, count + 1):
        rehearsal.until(f"{number} submissions have ended", lambda: ended(rehearsal) >= number)  # noqa: B023


def ended(rehearsal: Rehearsal) -> int:
    """How many submissions have come to their end."""
    (row,) = rehearsal.rows("SELECT count(*) FROM rampart_runs WHERE stage IN ('scored', 'failed')")
    return int(row[0])
