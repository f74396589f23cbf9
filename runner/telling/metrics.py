"""Keep the figures of a dispatcher for Prometheus."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator

from contracts.errors import RampartError
from contracts.work import Failed, Scored
from runner.progress import CloudAsked, LeasesRenewed, Progress, RunEnded, SecurityEvent
from runner.store import EventCounts

_log = logging.getLogger(__name__)

Labels = tuple[tuple[str, str], ...]

_HELP = {
    "rampart_database_up": ("gauge", "whether the event's database answered this very request"),
    "rampart_event_paused": ("gauge", "whether the event is paused"),
    "rampart_submissions_waiting": ("gauge", "submissions in the queue"),
    "rampart_submissions_held": ("gauge", "submissions in the queue that are passed over for a reason"),
    "rampart_runs": ("gauge", "runs that go on, of every dispatcher, by stage"),
    "rampart_runs_orphaned": ("gauge", "runs whose dispatcher went away and that wait to be adopted"),
    "rampart_hosts": ("gauge", "hosts of runs that go on, of every dispatcher"),
    "rampart_runs_ended_total": ("counter", "runs this process saw to their end"),
    "rampart_stage_seconds_total": ("counter", "time runs of this process spent in each stage"),
    "rampart_stages_total": ("counter", "stages runs of this process went through"),
    "rampart_lease_renewals_total": ("counter", "times this process renewed its leases, or could not"),
    "rampart_aws_calls_total": ("counter", "EC2 calls of this process, by the code they were refused with"),
    "rampart_security_events_total": ("counter", "what this process saw that may be an attack, by kind"),
}


class Metrics:
    """An observer that counts what ended, and asks `counts` of each event what is there when somebody looks."""

    def __init__(self) -> None:
        self._counts: dict[str, Callable[[], EventCounts]] = {}
        self._totals: Counter[tuple[str, Labels]] = Counter()
        self._seconds: dict[Labels, float] = {}
        self._lock = threading.Lock()

    def watch(self, event: str, counts: Callable[[], EventCounts]) -> None:
        """Show an event's queue too."""
        with self._lock:
            self._counts[event] = counts

    def __call__(self, progress: Progress) -> None:
        """Count what can be counted."""
        with self._lock:
            match progress:
                case RunEnded():
                    self._count_end(progress)
                case LeasesRenewed(event, succeeded):
                    outcome = "renewed" if succeeded else "failed"
                    self._totals["rampart_lease_renewals_total", (("event", event), ("outcome", outcome))] += 1
                case CloudAsked(event, action, code):
                    labels = (("event", event), ("action", action), ("code", code))
                    self._totals["rampart_aws_calls_total", labels] += 1
                case SecurityEvent(event, kind):
                    self._totals["rampart_security_events_total", (("event", event), ("kind", kind))] += 1

    def text(self) -> str:
        """All figures in Prometheus' text format."""
        samples: dict[str, list[str]] = {}
        for name, labels, value in self._samples():
            samples.setdefault(name, []).append(f"{name}{_braced(labels)} {value:.15g}")
        lines: list[str] = []
        for name, (kind, help_text) in _HELP.items():
            if name in samples:
                lines += [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}", *samples[name]]
        return "\n".join(lines) + "\n"

    def _count_end(self, ended: RunEnded) -> None:
        event = ended.work.event
        self._totals["rampart_runs_ended_total", (("event", event), *_outcome(ended))] += 1
        for stage, seconds in ended.steps.items():
            labels = (("event", event), ("stage", stage.value))
            self._totals["rampart_stages_total", labels] += 1
            self._seconds[labels] = self._seconds.get(labels, 0.0) + seconds

    def _samples(self) -> Iterator[tuple[str, Labels, float]]:
        with self._lock:
            watched = dict(self._counts)
            totals = dict(self._totals)
            seconds = dict(self._seconds)
        for event, counts in watched.items():
            yield from _of_queue(event, counts)
        for (name, labels), total in totals.items():
            yield name, labels, total
        for labels, value in seconds.items():
            yield "rampart_stage_seconds_total", labels, value


def _of_queue(event: str, ask: Callable[[], EventCounts]) -> Iterator[tuple[str, Labels, float]]:
    one: Labels = (("event", event),)
    try:
        found = ask()
    except RampartError as error:  # the figures of this process are told all the same
        _log.warning("the queue of %s could not be counted: %s", event, error, extra={"action": "metrics"})
        yield "rampart_database_up", one, 0
        return
    yield "rampart_database_up", one, 1
    yield "rampart_event_paused", one, found.is_paused
    yield "rampart_submissions_waiting", one, found.waiting
    yield "rampart_submissions_held", one, found.held
    yield "rampart_runs_orphaned", one, found.orphaned
    yield "rampart_hosts", one, found.hosts
    for stage, count in sorted(found.runs_by_stage.items()):
        yield "rampart_runs", (*one, ("stage", stage)), count


def _outcome(ended: RunEnded) -> Labels:
    match ended.outcome:
        case Scored():
            return (("outcome", "scored"), ("blame", ""), ("cause", ""))
        case Failed(blame=blame, cause=cause):
            return (("outcome", "failed"), ("blame", blame.value), ("cause", cause.value))
        case None:
            return (("outcome", "requeued"), ("blame", ""), ("cause", ""))


def _braced(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
