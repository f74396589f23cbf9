"""Lease runs by the database's own time, within one transaction of the caller's."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select, text, update

from contracts.work import Cause, Work
from runner.store.own_tables import runs
from runner.store.tables import event_teams, events, submissions, teams

LEASE_S = 30.0
"""How long a lease lives without being renewed."""

# as `IS NOT NULL`, but SQLite finds these by their index, among all the runs there ever were
_IS_LEASED = runs.c.lease_expires_at > datetime.min


def new_token() -> str:
    return uuid.uuid4().hex


def database_now(connection: Connection) -> datetime:
    """Give the database's time, naive and in UTC: clocks of dispatchers may differ."""
    if connection.dialect.name == "sqlite":
        return datetime.fromisoformat(
            connection.execute(text("SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")).scalar_one()
        )
    found: datetime = connection.execute(select(func.timezone("utc", func.clock_timestamp()))).scalar_one()
    return found


def lease_of(owner: str, now: datetime, lease_s: float) -> dict[str, Any]:
    """Give the columns that make a run `owner`'s from `now` on; each run needs a token of its own besides."""
    return {"lease_owner": owner, "lease_expires_at": now + timedelta(seconds=lease_s)}


def renew(connection: Connection, tokens: Collection[str], lease_s: float) -> None:
    expires_at = database_now(connection) + timedelta(seconds=lease_s)
    still_held = runs.c.lease_token.in_(tokens) & _IS_LEASED
    connection.execute(update(runs).where(still_held).values(lease_expires_at=expires_at))


def unwanted(connection: Connection, tokens: Collection[str]) -> set[str]:
    """Give those of the tokens whose runs the organiser wants ended."""
    # asked each second: the few that are to be cancelled are sooner found than a thousand tokens told the database
    asked = _IS_LEASED & runs.c.cancel_asked_at.is_not(None) & runs.c.ended_at.is_(None)
    return set(tokens).intersection(connection.scalars(select(runs.c.lease_token).where(asked)))


def end_now(connection: Connection, tokens: Collection[str]) -> None:
    """Let leases end for whoever adopts their runs."""
    still_held = runs.c.lease_token.in_(tokens) & _IS_LEASED
    connection.execute(update(runs).where(still_held).values(lease_expires_at=database_now(connection)))


def other_owners(connection: Connection, event: str, owner: str) -> Sequence[str]:
    """Give all but `owner` that hold a run of the event."""
    query = _of_event(event, runs.c.lease_owner).where(_IS_LEASED)
    return connection.scalars(query.where(runs.c.lease_owner != owner).distinct()).all()


def orphans(
    connection: Connection, event: str, limit: int, *, dead: Collection[str], held: Collection[str]
) -> Sequence[Any]:
    """Lock and give the runs of an event whose lease ran out or whose owner is `dead`, oldest first.

    Those under the `held` tokens are passed over: their owner asks, who could not renew them in time.
    """
    ran_out = runs.c.lease_expires_at <= database_now(connection)
    nobodys = _IS_LEASED & runs.c.lease_owner.in_(dead)
    query = (
        _of_event(event, runs, submissions.c.name.label("submission"), teams.c.name.label("team"))
        .where(ran_out | nobodys, runs.c.lease_token.not_in(held))
        .order_by(runs.c.id)
        .limit(limit)
        .with_for_update(of=runs, skip_locked=True)
    )
    return connection.execute(query).all()


def held_elsewhere(connection: Connection, event: str, own: Collection[str]) -> bool:
    """Whether a run of the event is leased, or waits to be adopted, that is not of `own` tokens."""
    query = _of_event(event, literal_column("1")).where(_IS_LEASED, runs.c.lease_token.not_in(own))
    return connection.execute(query.limit(1)).first() is not None


def losses(connection: Connection, work: Work) -> dict[Cause, int]:
    """Count the earlier runs of the run's generation that were lost, by cause."""
    query = (
        select(runs.c.cause, func.count())
        .where(
            runs.c.submission_id == work.submission_id,
            runs.c.generation == work.generation,
            runs.c.attempt < work.attempt,
            runs.c.cause.is_not(None),
        )
        .group_by(runs.c.cause)
    )
    return {Cause(cause): count for cause, count in connection.execute(query)}


def _of_event(event: str, *columns: Any) -> Select[Any]:
    is_of_event: ColumnElement[bool] = events.c.name == event
    return (
        select(*columns)
        .select_from(runs)
        .join(submissions, submissions.c.id == runs.c.submission_id)
        .join(event_teams, event_teams.c.id == submissions.c.event_team_id)
        .join(teams, teams.c.id == event_teams.c.team_id)
        .join(events, events.c.id == event_teams.c.event_id)
        .where(is_of_event)
    )
