"""Let a submission wait in the queue with a reason, within one transaction of the caller's."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, select

from runner.store.own_tables import event_states, holds
from runner.store.tables import submissions


def hold(
    connection: Connection, submission_id: int, reason: str, *, now: datetime, wait_s: float, on_demand: bool
) -> None:
    """Keep a submission from being claimed for `wait_s` from `now`, the database's time."""
    lift(connection, [submission_id])
    not_before = now + timedelta(seconds=wait_s)
    values = {"reason": reason, "since": now, "not_before": not_before, "on_demand": on_demand}
    connection.execute(insert(holds).values(submission_id=submission_id, **values))


def lift(connection: Connection, submission_ids: list[int]) -> None:
    connection.execute(delete(holds).where(holds.c.submission_id.in_(submission_ids)))


def may_be_claimed(event: str, now: datetime) -> ColumnElement[bool]:
    """Whether nothing keeps a row of `submissions`, which is of `event`, from being claimed at `now`."""
    has_time_left = holds.c.not_before.is_(None) | (holds.c.not_before > now)
    # a list made once for the query, which is cheap whatever a planner knows of the table
    return submissions.c.id.not_in(select(holds.c.submission_id).where(has_time_left)) & ~_is_paused(event)


def waits_for_a_time(event: str) -> ColumnElement[bool]:
    """Whether a row of `submissions`, which is of `event`, can be claimed by and by, without anybody's doing."""
    waiting = select(holds.c.submission_id).where(holds.c.not_before.is_not(None))
    return submissions.c.id.in_(waiting) & ~_is_paused(event)


def _is_paused(event: str) -> ColumnElement[bool]:
    return exists().where(event_states.c.event == event, event_states.c.paused_at.is_not(None))
