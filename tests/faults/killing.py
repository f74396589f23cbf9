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
    dispatchers: int,
    kills: int,
    also: Callable[[], None] = lambda: None,
) -> None:
    """Serve the queue to its end, with `kills` kills spread over its length; `also` is done at each of them.

    The last submission must wait to be let go on: so there is work for all until the last kill. The seed decides who
    dies after how many results; what it is doing then, this machine's load decides.
    """
    total = len(rehearsal.states())
    alive = [rehearsal.dispatcher() for _ in range(dispatchers)]
    for ended in sorted(chance.sample(range(total - 1), kills)):
        rehearsal.until(f"{ended} submissions have ended", lambda: finished(rehearsal) >= ended)  # noqa: B023
        victim = chance.randrange(len(alive))
        alive[victim].kill()
        assert invariants.broken_while_it_goes_on(rehearsal) == []
        also()
        alive[victim] = rehearsal.dispatcher()
    rehearsal.until_training()
    rehearsal.let_go_on()
    for one in alive:
        one.await_end()


def finished(rehearsal: Rehearsal) -> int:
    """How many submissions have come to their end."""
    (row,) = rehearsal.rows("SELECT count(*) FROM rampart_runs WHERE stage IN ('scored', 'failed')")
    return int(row[0])
