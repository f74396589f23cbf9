"""Pause an event whose submissions fail by the organiser's fault, within one transaction of the caller's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from runner.clip import clipped
from runner.judging import retry
from runner.store.own_tables import event_states


def note_organisers_error(connection: Connection, event: str, message: str, now: datetime) -> None:
    """Count an organiser's error; pauses the event when it is one too many in a row."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    connection.execute(insert(event_states).values(event=event).on_conflict_do_nothing())
    is_it = event_states.c.event == event
    more = event_states.c.organiser_errors + 1
    connection.execute(update(event_states).where(is_it).values(organiser_errors=more))
    errors = connection.execute(select(event_states.c.organiser_errors).where(is_it)).scalar_one()
    if retry.pauses_event(errors):
        goes_on = event_states.c.paused_at.is_(None)
        pause = {"paused_at": now, "pause_reason": pause_reason(errors, message)}
        connection.execute(update(event_states).where(is_it, goes_on).values(pause))


def pause_reason(errors: int, message: str) -> str:
    """Say why an event is paused."""
    last = clipped(message, head=300, tail=100)
    return f"{errors} submissions in a row failed by a fault the organiser must mend, the last one: {last}"


def forget_organisers_errors(connection: Connection, event: str) -> None:
    """A submission got as far as its own code: what was wrong before is mended."""
    had_some = (event_states.c.event == event) & (event_states.c.organiser_errors > 0)
    connection.execute(update(event_states).where(had_some).values(organiser_errors=0))


def paused(connection: Connection, event: str) -> str:
    """Give the reason why an event is paused; empty where it is not."""
    is_paused = (event_states.c.event == event) & event_states.c.paused_at.is_not(None)
    return connection.scalar(select(event_states.c.pause_reason).where(is_paused)) or ""
