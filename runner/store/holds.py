"""Let a submission wait in the queue with a reason, within one transaction of the caller's."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, exists, insert, select

from runner.store.own_tables import event_states, holds
from runner.store.tables import events, submissions


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


def may_be_claimed(now: datetime) -> ColumnElement[bool]:
    """Whether nothing keeps a row of `submissions`, joined with its `events`, from being claimed at `now`."""
    is_its = holds.c.submission_id == submissions.c.id
    has_time_left = holds.c.not_before.is_(None) | (holds.c.not_before > now)
    return ~exists().where(is_its, has_time_left) & ~is_paused()


def waits_for_a_time() -> ColumnElement[bool]:
    """Whether a row of `submissions` joined with its `events` can be claimed by and by, without anybody's doing."""
    return exists().where(holds.c.submission_id == submissions.c.id, holds.c.not_before.is_not(None)) & ~is_paused()


def is_paused() -> ColumnElement[bool]:
    """Whether a row of `events` is paused."""
    return exists().where(event_states.c.event == events.c.name, event_states.c.paused_at.is_not(None))


def on_demand() -> Any:
    """Whether a row of `submissions` waits for a host on demand, as a column; NULL where it is not held."""
    return select(holds.c.on_demand).where(holds.c.submission_id == submissions.c.id).scalar_subquery()
