"""Serve a queue to its end, with the time each run was recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from contracts.event import EventConfig, HungerPolicy
from contracts.image import ImageReference
from contracts.stack import StackOutputs
from contracts.work import Failed, Scored
from runner import app
from runner.interruption import Interruption
from runner.ports import Hosts, Lasting
from runner.progress import Progress, RunEnded, Stage
from runner.scoring.choosing import scorer_of


@dataclass(frozen=True, slots=True)
class Ended:
    """One scored run: when it was claimed, when its scores were in the database, what its stages took."""

    claimed_at: datetime
    recorded_at: datetime
    steps: dict[Stage, float]
    scored: Scored


@dataclass
class _Book:
    ended: list[Ended] = field(default_factory=list)

    def note(self, progress: Progress) -> None:
        recorded_at = app.now()
        match progress:
            case RunEnded(_, Scored() as scored, steps):
                claimed = scored.pulled.finished.launched.pushed.provisioned.claimed
                self.ended.append(Ended(claimed.claimed_at, recorded_at, steps, scored))
            case RunEnded(work, outcome):
                reason = outcome.message if isinstance(outcome, Failed) else "it went back to the queue"
                raise RuntimeError(f"{work.submission} was not scored: {reason}")


def serve(
    event: EventConfig,
    *,
    outputs: StackOutputs | None = None,
    image: Callable[[], ImageReference] | None = None,
    hosts: Hosts | None = None,
) -> list[Ended]:
    """Run every waiting submission as `train-loop --hunger-policy exit` does; raises where one is not scored.

    A pool of `hosts` that is given stays open.
    """
    interruption = Interruption()
    book = _Book()
    store = app.open_store(event)
    with scorer_of(event) as scorer, ExitStack() as stack:
        dispatcher = app.make_dispatcher(
            event,
            store=store,
            hosts=hosts or stack.enter_context(hosts_of(event, outputs=outputs, image=image)),
            interruption=interruption,
            observe=book.note,
            hunger_policy=HungerPolicy.EXIT,
            scorer=scorer,
        )
        summary = dispatcher.serve()
    store.close()
    if summary.scored != len(book.ended) or summary.failed or summary.unexpected:
        raise RuntimeError(f"not every submission was scored: {summary}")
    return book.ended


@contextmanager
def hosts_of(
    event: EventConfig,
    *,
    outputs: StackOutputs | None = None,
    image: Callable[[], ImageReference] | None = None,
) -> Iterator[Hosts]:
    """The event's host pool, closed afterwards."""
    interruption = Interruption()
    hosts = app.make_hosts(event, outputs=outputs, image=image or _no_image, interruption=interruption)
    try:
        yield hosts
    finally:
        if isinstance(hosts, Lasting):
            hosts.close()


def _no_image() -> ImageReference:
    raise RuntimeError("runs on this machine need no image")
