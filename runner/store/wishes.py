"""Change the queue as its organiser wishes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, func, select, update

from contracts.errors import AskedWrongly, UnknownName
from runner.judging.faults import CANCELLED
from runner.store import results
from runner.store.claiming import check_event
from runner.store.database import Database
from runner.store.own_tables import event_states, holds, runs
from runner.store.rows import Pause
from runner.store.tables import ERROR_STATES, State, event_teams, events, submissions, teams
from runner.store.times import aware, naive_utc


class Which(StrEnum):
    """Which of an event's submissions are run again."""

    FAILED = "failed"
    ENDED = "ended"  # the scored ones too, as after a kit was mended


class Cancelled(StrEnum):
    """What became of the wish to cancel a submission."""

    AT_ONCE = "at once"  # it waited
    ASKED = "asked"  # it runs: its dispatcher ends it


class Wishes:
    """What an organiser may ask of an event's queue. Every method is one transaction and may raise StoreUnavailable."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def retry(self, event: str, team: str, submission: str) -> None:
        """Put one submission into the queue again, at the place of its submission time.

        Its next run begins a generation; the history stays. Raises UnknownName, or AskedWrongly for one that waits
        or is in a run.
        """
        with self._database.writing() as connection:
            found = _one(connection, event, team, submission)
            named = f"{team}/{submission}"
            if found.state == State.NEW.value:
                raise AskedWrongly(f"{named} waits already", hint=f"invoke status --event {event}")
            if _is_in_a_run(connection, found.id):
                hint = f"end it first: invoke cancel --event {event} --team {team} --submission {submission}"
                raise AskedWrongly(f"{named} is in a run: it is {found.state}", hint=hint)
            _queue_again(connection, found.id)

    def retry_all(self, event: str, which: Which) -> list[str]:
        """Put many submissions into the queue again; gives them as `team/submission`, oldest first.

        Those that wait or are in a run are left alone. Raises UnknownName.
        """
        states = ERROR_STATES if which is Which.FAILED else (*ERROR_STATES, State.SCORED.value)
        with self._database.writing() as connection:
            check_event(connection, event)
            found = connection.execute(_of_event(event).where(submissions.c.state.in_(states))).all()
            again = [row for row in found if not _is_in_a_run(connection, row.id)]
            for row in again:
                _queue_again(connection, row.id)
        return [f"{row.team}/{row.name}" for row in again]

    def cancel(self, event: str, team: str, submission: str) -> Cancelled:
        """End a submission that waits, or ask for the end of its run.

        Raises UnknownName, or AskedWrongly for one that has ended.
        """
        now = naive_utc(self._clock())
        with self._database.writing() as connection:
            found = _one(connection, event, team, submission)
            if found.state == State.NEW.value:
                results.set_state(connection, found.id, State.CHECKING_ERROR, error_msg=CANCELLED, queue_position=-1)
                connection.execute(delete(holds).where(holds.c.submission_id == found.id))
                return Cancelled.AT_ONCE
            asked = update(runs).where(_goes_on(found.id), runs.c.cancel_asked_at.is_(None))
            connection.execute(asked.values(cancel_asked_at=now))
            if _is_in_a_run(connection, found.id):
                return Cancelled.ASKED
        message = f"{team}/{submission} neither waits nor runs: it is {found.state}"
        raise AskedWrongly(message, hint=f"invoke status --event {event}")

    def resume(self, event: str) -> Pause | None:
        """Let a paused event go on and forget its organiser errors; gives the pause that was. Raises UnknownName."""
        with self._database.writing() as connection:
            check_event(connection, event)
            was = pause_of(connection, event)
            cleared = {"organiser_errors": 0, "paused_at": None, "pause_reason": ""}
            connection.execute(update(event_states).where(event_states.c.event == event).values(cleared))
        return was


def pause_of(connection: Connection, event: str) -> Pause | None:
    """Give the event's pause, None while it is served."""
    query = select(event_states).where(event_states.c.event == event, event_states.c.paused_at.is_not(None))
    row = connection.execute(query).one_or_none()
    return None if row is None else Pause(aware(row.paused_at), row.pause_reason)


def _of_event(event: str) -> Select[Any]:
    """Select and lock an event's submissions but the sandbox ones, oldest first."""
    return (
        select(submissions.c.id, submissions.c.name, submissions.c.state, teams.c.name.label("team"))
        .join(event_teams, event_teams.c.id == submissions.c.event_team_id)
        .join(teams, teams.c.id == event_teams.c.team_id)
        .join(events, events.c.id == event_teams.c.event_id)
        .where(events.c.name == event, submissions.c.name != func.coalesce(events.c.ramp_sandbox_name, ""))
        .order_by(submissions.c.submission_timestamp, submissions.c.id)
        .with_for_update(of=submissions)
    )


def _one(connection: Connection, event: str, team: str, submission: str) -> Row[Any]:
    query = _of_event(event).where(teams.c.name == team, submissions.c.name == submission)
    found = connection.execute(query).one_or_none()
    if found is None:
        check_event(connection, event)
        hint = f"invoke status --event {event}"
        raise UnknownName(f"no submission {team}/{submission} in {event}", hint=hint)
    return found


def _goes_on(submission_id: int) -> Any:
    return and_(runs.c.submission_id == submission_id, runs.c.ended_at.is_(None))


def _is_in_a_run(connection: Connection, submission_id: int) -> bool:
    return connection.execute(select(runs.c.id).where(_goes_on(submission_id)).limit(1)).first() is not None


def _queue_again(connection: Connection, submission_id: int) -> None:
    untouched = {"sent_to_training_timestamp": None, "training_timestamp": None, "queue_position": -1}
    results.set_state(connection, submission_id, State.NEW, error_msg="", **untouched)
    connection.execute(delete(holds).where(holds.c.submission_id == submission_id))
