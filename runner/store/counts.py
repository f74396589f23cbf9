"""Count what an event's queue holds, within one transaction of the caller's."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, func, select

from runner.store import leases
from runner.store.own_tables import holds, runs
from runner.store.rows import EventCounts
from runner.store.tables import State, event_teams, events, submissions
from runner.store.wishes import pause_of


def counts_in(connection: Connection, event: str) -> EventCounts:
    """Count by the database alone: whichever dispatchers there are."""
    going_on = _of_event(event, runs.c.stage, func.count()).where(runs.c.ended_at.is_(None)).group_by(runs.c.stage)
    on_hosts = _of_event(event, func.count(runs.c.host_id.distinct())).where(
        runs.c.ended_at.is_(None), runs.c.host_id != ""
    )
    orphaned = _of_event(event, func.count()).where(runs.c.lease_expires_at <= leases.database_now(connection))
    stages: dict[str, int] = dict(connection.execute(going_on).all())
    return EventCounts(
        waiting=_waiting(connection, event),
        held=_held(connection, event),
        runs_by_stage=stages,
        hosts=connection.execute(on_hosts).scalar_one(),
        orphaned=connection.execute(orphaned).scalar_one(),
        is_paused=pause_of(connection, event) is not None,
    )


def _waiting(connection: Connection, event: str) -> int:
    is_sandbox = submissions.c.name == func.coalesce(events.c.ramp_sandbox_name, "")
    query = _submissions(select(func.count()).select_from(submissions)).where(
        events.c.name == event, submissions.c.state == State.NEW.value, ~is_sandbox
    )
    return int(connection.execute(query).scalar_one())


def _held(connection: Connection, event: str) -> int:
    joined = select(func.count()).select_from(holds).join(submissions, submissions.c.id == holds.c.submission_id)
    query = _submissions(joined).where(events.c.name == event, submissions.c.state == State.NEW.value)
    return int(connection.execute(query).scalar_one())


def _of_event(event: str, *columns: Any) -> Select[Any]:
    joined = select(*columns).select_from(runs).join(submissions, submissions.c.id == runs.c.submission_id)
    return _submissions(joined).where(events.c.name == event)


def _submissions(query: Select[Any]) -> Select[Any]:
    return query.join(event_teams, event_teams.c.id == submissions.c.event_team_id).join(
        events, events.c.id == event_teams.c.event_id
    )
