"""Read what is shown of an event: its queue, its leaderboard, its failures."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, select

from contracts.work import Blame, Cause, Containment
from runner.kit import ScoreType
from runner.store import leases
from runner.store.own_tables import holds, runs
from runner.store.ranking import ranked
from runner.store.rows import EventReport, FailureRow, Leaderboard, LeaderboardRow, RunEnd, SubmissionRow
from runner.store.tables import (
    ERROR_STATES,
    State,
    event_score_types,
    event_teams,
    events,
    score_types,
    submission_scores,
    submissions,
    teams,
)
from runner.store.times import aware
from runner.store.wishes import pause_of

_RUNS_OF_THE_MEAN = 50


def _submissions_of(event: str) -> Select[Any]:
    """Select an event's submissions but the sandbox ones, each with its latest run where it had one."""
    last = select(runs.c.submission_id, func.max(runs.c.attempt).label("attempt")).group_by(runs.c.submission_id)
    latest = last.subquery()
    return (
        select(
            submissions,
            teams.c.name.label("team"),
            *(column.label(f"run_{column.name}") for column in runs.c),
            holds.c.reason.label("held"),
            holds.c.not_before.label("held_until"),
        )
        .join(event_teams, event_teams.c.id == submissions.c.event_team_id)
        .join(teams, teams.c.id == event_teams.c.team_id)
        .join(events, events.c.id == event_teams.c.event_id)
        .outerjoin(latest, latest.c.submission_id == submissions.c.id)
        .outerjoin(runs, and_(runs.c.submission_id == submissions.c.id, runs.c.attempt == latest.c.attempt))
        .outerjoin(holds, holds.c.submission_id == submissions.c.id)
        .where(events.c.name == event, submissions.c.name != func.coalesce(events.c.ramp_sandbox_name, ""))
        .order_by(submissions.c.submission_timestamp, submissions.c.id)
    )


def submissions_in(connection: Connection, event: str) -> list[SubmissionRow]:
    """List the event's submissions, oldest first."""
    rows = []
    waiting = 0
    now = leases.database_now(connection)
    for row in connection.execute(_submissions_of(event)):
        is_waiting = row.state == State.NEW.value
        waiting += is_waiting
        rows.append(_submission_row(row, waiting if is_waiting else None, now))
    return rows


def report_in(connection: Connection, event: str) -> EventReport:
    """Give the event's queue with its pause and the mean time of its last runs."""
    rows = tuple(submissions_in(connection, event))
    return EventReport(event, rows, pause_of(connection, event), _mean_run_s(connection, event))


def failures_in(connection: Connection, event: str) -> list[FailureRow]:
    """List the submissions that ended without scores, oldest first."""
    failed = _submissions_of(event).where(submissions.c.state.in_(ERROR_STATES))
    return [
        FailureRow(
            submission_id=row.id,
            team=row.team,
            submission=row.name,
            state=row.state,
            blame=Blame(row.run_blame) if row.run_blame else None,
            cause=Cause(row.run_cause) if row.run_cause else None,
            reason=_reason(row),
            error=row.error_msg or "",
            exit_code=row.run_exit_code,
            ended_at=aware(row.run_ended_at) if row.run_ended_at else None,
        )
        for row in connection.execute(failed)
    ]


def leaderboard_in(connection: Connection, event: str, *, step: str) -> Leaderboard:
    """Rank the scored submissions by the official score of `step`."""
    board = Leaderboard(event, _score_types(connection, event), tuple(_leaderboard_rows(connection, event)))
    return ranked(board, step)


def _score_types(connection: Connection, event: str) -> tuple[ScoreType, ...]:
    """Give the event's score types, the official one first."""
    query = (
        select(
            event_score_types.c.name,
            score_types.c.is_lower_the_better,
            score_types.c.minimum,
            score_types.c.maximum,
            event_score_types.c.precision,
            events.c.official_score_name,
        )
        .join(score_types, score_types.c.id == event_score_types.c.score_type_id)
        .join(events, events.c.id == event_score_types.c.event_id)
        .where(events.c.name == event)
        .order_by(event_score_types.c.id)
    )
    found = sorted(connection.execute(query), key=lambda row: row.name != row.official_score_name)
    return tuple(ScoreType(row.name, row.is_lower_the_better, row.minimum, row.maximum, row.precision) for row in found)


def _mean_run_s(connection: Connection, event: str) -> float | None:
    query = (
        select(runs.c.started_at, runs.c.ended_at)
        .join(submissions, submissions.c.id == runs.c.submission_id)
        .join(event_teams, event_teams.c.id == submissions.c.event_team_id)
        .join(events, events.c.id == event_teams.c.event_id)
        .where(events.c.name == event, runs.c.stage.in_((RunEnd.SCORED.value, RunEnd.FAILED.value)))
        .order_by(runs.c.ended_at.desc())
        .limit(_RUNS_OF_THE_MEAN)
    )
    lasted = [(row.ended_at - row.started_at).total_seconds() for row in connection.execute(query)]
    return max(0.0, sum(lasted) / len(lasted)) if lasted else None


def _leaderboard_rows(connection: Connection, event: str) -> list[LeaderboardRow]:
    scored = _submissions_of(event).where(submissions.c.state == State.SCORED.value)
    found = connection.execute(scored).all()
    scores = _bagged_scores(connection, event)
    image_ids = _image_ids(connection, event)
    return [
        LeaderboardRow(
            submission_id=row.id,
            team=row.team,
            submission=row.name,
            valid=scores.get((row.id, "valid"), {}),
            test=scores.get((row.id, "test"), {}),
            train_time_s=row.train_time_cv_mean,
            valid_time_s=row.valid_time_cv_mean,
            test_time_s=row.test_time_cv_mean,
            submitted_at=aware(row.submission_timestamp),
            image_id=image_ids.get(row.id, ""),
        )
        for row in found
    ]


def _image_ids(connection: Connection, event: str) -> dict[int, str]:
    """Give the image that each submission's scores came from: that of its last run that ended with some."""
    query = (
        select(runs.c.submission_id, runs.c.image_id)
        .join(submissions, submissions.c.id == runs.c.submission_id)
        .join(event_teams, event_teams.c.id == submissions.c.event_team_id)
        .join(events, events.c.id == event_teams.c.event_id)
        .where(events.c.name == event, runs.c.stage == RunEnd.SCORED.value)
        .order_by(runs.c.attempt)
    )
    return {row.submission_id: row.image_id for row in connection.execute(query)}


def _bagged_scores(connection: Connection, event: str) -> dict[tuple[int, str], dict[str, float]]:
    query = (
        select(
            submission_scores.c.submission_id,
            event_score_types.c.name,
            submission_scores.c.valid_score_cv_bag,
            submission_scores.c.test_score_cv_bag,
        )
        .join(event_score_types, event_score_types.c.id == submission_scores.c.event_score_type_id)
        .join(events, events.c.id == event_score_types.c.event_id)
        .where(events.c.name == event)
        .order_by(event_score_types.c.id)
    )
    scores: dict[tuple[int, str], dict[str, float]] = {}
    for row in connection.execute(query):
        for step, score in (("valid", row.valid_score_cv_bag), ("test", row.test_score_cv_bag)):
            if score is not None:
                scores.setdefault((row.submission_id, step), {})[row.name] = score
    return scores


def _submission_row(row: Row[Any], queue_position: int | None, now: datetime) -> SubmissionRow:
    is_waiting = queue_position is not None
    ends_at = row.run_lease_expires_at
    return SubmissionRow(
        submission_id=row.id,
        team=row.team,
        submission=row.name,
        state=row.state,
        submitted_at=aware(row.submission_timestamp),
        queue_position=queue_position,
        attempt=row.run_attempt or 0,
        stage=row.run_stage or "",
        since=aware(row.run_stage_since) if row.run_stage_since else None,
        host_id=row.run_host_id or "",
        started_at=aware(row.run_started_at) if row.run_started_at else None,
        ended_at=aware(row.run_ended_at) if row.run_ended_at else None,
        blame=Blame(row.run_blame) if row.run_blame else None,
        cause=Cause(row.run_cause) if row.run_cause else None,
        reason=_reason(row),
        peak_memory_bytes=row.run_peak_memory_bytes,
        cpu_time_s=row.run_cpu_time_s,
        containment=Containment(row.run_containment) if row.run_containment else None,
        steps=dict(row.run_steps_s or {}),
        generation=row.run_generation or 0,
        held=(row.held or "") if is_waiting else "",
        held_until=aware(row.held_until) if is_waiting and row.held_until else None,
        cancel_asked_at=aware(row.run_cancel_asked_at) if row.run_cancel_asked_at else None,
        orphaned=row.run_ended_at is None and ends_at is not None and ends_at <= now,
        image_id=row.run_image_id or "",
    )


def _reason(row: Row[Any]) -> str:
    """The run's own sentence; of a submission that failed without one (cancelled while it waited), RAMP's message."""
    if row.state in ERROR_STATES and row.run_stage != RunEnd.FAILED.value:
        return (row.error_msg or "").partition("\n")[0]
    return row.run_message or ""
