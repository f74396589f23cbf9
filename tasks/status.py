"""Show where each submission of an event stands, or what it waits for."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from contracts.event import EventConfig
from runner.app import now, open_catalogue
from runner.store import EventReport, SubmissionRow
from runner.telling.estimate import is_running, starts_in_s
from tasks import console

_SOON_S = 5.0


@dataclasses.dataclass(frozen=True)
class Standing:
    """One submission with what it waits for, empty where it does not, and the estimated seconds until it starts."""

    row: SubmissionRow
    waits_for: str = ""
    starts_in_s: float | None = None


def print_status(event: EventConfig, *, as_json: bool) -> None:
    report = open_catalogue(event).report(event.name)
    at = now()
    found = standings(report, n_workers=event.n_workers, at=at)
    if as_json:
        console.data([_fields(one) for one in found])
        return
    if report.pause is not None:
        console.result(f"{event.name} is paused since {console.moment(report.pause.since)}: {report.pause.reason}")
    columns = ("id", "submission", "state", "for", "what")
    console.table(f"submissions of {event.name}", columns, [_cells(one, at) for one in found])
    if event.worker.worker_type == "dask":
        _print_cluster(event)
    if report.pause is not None:
        console.next_step(f"mend the cause, then: invoke resume --event {event.name}")


def _print_cluster(event: EventConfig) -> None:
    """Tell of the cluster what the loop on this machine knows; to ask for more is a command of its own."""
    from contracts.errors import HostUnreachable
    from tasks import dask_operations

    try:
        found = dask_operations.workers_of_loop(event)
    except HostUnreachable as error:
        console.result(f"Dask cluster: {error.message}")
        return
    if found is not None:
        console.result(f"Dask cluster: {dask_operations.told(found)}")
    console.next_step(f"invoke dask-cluster --event {event.name}")


def standings(report: EventReport, *, n_workers: int, at: datetime) -> list[Standing]:
    """Say of each submission what it waits for, and when it will about start."""
    starts = starts_in_s(report, n_workers=n_workers, now=at)
    running = sum(map(is_running, report.rows))
    return [
        Standing(row, _waits_for(row, report, running, n_workers), starts.get(row.submission_id))
        if row.queue_position is not None
        else Standing(row)
        for row in report.rows
    ]


def _waits_for(row: SubmissionRow, report: EventReport, running: int, n_workers: int) -> str:
    if report.pause is not None:
        return f"the event is paused: {report.pause.reason}"
    if row.held:
        return row.held + (f", until {console.moment(row.held_until)}" if row.held_until else "")
    free = n_workers - running
    ahead = (row.queue_position or 0) - 1
    if free > ahead:
        return "a dispatcher to take it" if running == 0 else "its turn to be taken"
    before = [_counted(running, "run")] if running else []
    before += [f"{ahead} in the queue before it"] if ahead else []
    return " and ".join(before)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _fields(one: Standing) -> dict[str, Any]:
    return dataclasses.asdict(one.row) | {"waits_for": one.waits_for, "starts_in_s": one.starts_in_s}


def _cells(one: Standing, at: datetime) -> tuple[object, ...]:
    row = one.row
    since = row.since or row.submitted_at
    age = console.duration(max(0.0, (at - since).total_seconds()))
    return (row.submission_id, f"{row.team}/{row.submission}", row.state, age, sentence(one))


def sentence(one: Standing) -> str:
    """What a submission does, waits for, or came to."""
    row = one.row
    again = f" (attempt {row.attempt})" if row.attempt > 1 else ""
    if row.queue_position is not None:
        return f"place {row.queue_position}, {_start(one.starts_in_s)}; waits for {one.waits_for}"
    if is_running(row):
        where = f"{row.stage}{f' on {row.host_id}' if row.host_id else ''}{again}"
        where += ", is being cancelled" if row.cancel_asked_at else ""
        return f"{where}, waits to be adopted: its dispatcher is gone" if row.orphaned else where
    if row.blame is not None:
        return f"{row.blame} ({row.cause}): {row.reason}{again}"
    return f"took {_took(row)}{again}" if row.reason == "" else row.reason


def _start(seconds: float | None) -> str:
    if seconds is None:
        return "start unknown"
    return "may start any moment" if seconds < _SOON_S else f"starts in about {console.duration(seconds)}"


def _took(row: SubmissionRow) -> str:
    if row.started_at is None or row.ended_at is None:
        return "-"
    return console.duration((row.ended_at - row.started_at).total_seconds())
