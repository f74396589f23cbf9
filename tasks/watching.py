"""Tell those who watch what runs do: the terminal or a log, Prometheus."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from contracts.errors import AskedWrongly
from contracts.event import EventConfig
from contracts.work import Failed, Scored, Work
from runner.progress import Observer, Progress, RunEnded, Stage, StageStarted
from runner.store import EventCounts
from runner.telling import json_log, metrics_server
from runner.telling.json_log import JsonLines
from runner.telling.metrics import Metrics
from tasks import console

_SHOWN_AT_START = {Stage.PROVISION: "gets a host", Stage.WAIT: "runs"}


class Watch:
    """Who is told of the runs of this process."""

    def __init__(self, *, log: JsonLines | None = None, metrics: Metrics | None = None) -> None:
        self._log = log
        self._metrics = metrics

    def observer(self, event: EventConfig, counts: Callable[[], EventCounts], *others: Observer) -> Observer:
        """One observer for an event's dispatcher; `counts` tells what its queue holds."""
        told: list[Observer] = [tell if self._log is None else json_log.tell]
        if self._metrics is not None:
            self._metrics.watch(event.name, counts)
            told.append(self._metrics)
        told += others

        def observe(progress: Progress) -> None:
            for one in told:
                one(progress)

        return observe


@contextmanager
def watched(*, as_json: bool = False, metrics_port: str | None = None) -> Iterator[Watch]:
    """Set up who is told. With `as_json` all progress becomes log lines from now on, for as long as we live."""
    log = metrics = None
    with ExitStack() as stack:
        if as_json:
            log = json_log.start(sys.stderr, console.redacted)
            console.say_in_log()
        if metrics_port is not None:
            metrics = Metrics()
            port = stack.enter_context(metrics_server.served(_port(metrics_port), metrics.text))
            console.say(f"metrics: http://127.0.0.1:{port}/metrics", style="dim")
        yield Watch(log=log, metrics=metrics)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:9]) <= 65_535):
        raise AskedWrongly(f"--metrics-port {text!r} is no port", hint="0 (any free one) to 65535")
    return int(text[:9])


def tell(progress: Progress) -> None:
    """Print what a run does, for people."""
    match progress:
        case StageStarted(work, stage, host_id) if stage in _SHOWN_AT_START:
            console.say(f"  {_named(work)} {_SHOWN_AT_START[stage]}{f' on {host_id}' if host_id else ''}")
        case RunEnded(work, Scored() as scored):
            console.say(f"  {_named(work)} scored: {_official(scored)}", style="green")
        case RunEnded(work, Failed() as failed):
            console.say(f"  {_named(work)} failed ({failed.blame}, {failed.cause}): {failed.message}", style="red")
        case RunEnded(work, None, reason=reason):
            console.say(f"  {_named(work)} goes back to the queue: {reason}", style="yellow")


def _named(work: Work) -> str:
    return f"{work.team}/{work.submission}"


def _official(scored: Scored) -> str:
    """The first score type is the official one; it is combined over the folds."""
    for name, values in scored.bagged.scores.get("valid", {}).items():
        return f"{name} {values[-1]:.4f}"
    return "no bagged score"
