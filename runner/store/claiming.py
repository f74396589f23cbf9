"""Take submissions out of the queue, within one transaction of the caller's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, insert, literal, select, update

from contracts.errors import UnknownName
from contracts.work import Work
from runner.store import holds
from runner.store.own_tables import holds as held
from runner.store.own_tables import runs, transitions
from runner.store.rows import RunEnd
from runner.store.tables import (
    State,
    event_score_types,
    event_teams,
    events,
    submission_on_cv_folds,
    submission_scores,
    submissions,
    teams,
)
from runner.store.times import naive_utc

_OLDEST_FIRST = (submissions.c.submission_timestamp, submissions.c.id)


def oldest_new(
    connection: Connection, event: str, limit: int, now: datetime, only: tuple[str, str] | None = None
) -> Sequence[Any]:
    """Lock and give the rows to claim by the database's `now`, of all or of `only` one team's submission of that name.

    Held ones are passed over, and all of a paused event, but for the `only` one, which somebody asked for by name.
    On PostgreSQL those another dispatcher is just taking are passed over.
    """
    query = _new_of(event, None if only is None else only[0])
    query = query.where(holds.may_be_claimed(event, now) if only is None else submissions.c.name == only[1])
    query = query.order_by(*_OLDEST_FIRST).limit(limit).with_for_update(of=submissions, skip_locked=True)
    # the whole queue is looked through and sorted for each claim: what else is to be known is looked up for those taken
    taken = query.cte("taken")
    described = (
        select(submissions.c.id, submissions.c.name, teams.c.name.label("team"), held.c.on_demand)
        .select_from(taken)
        .join(submissions, submissions.c.id == taken.c.id)
        .join(event_teams, event_teams.c.id == submissions.c.event_team_id)
        .join(teams, teams.c.id == event_teams.c.team_id)
        .outerjoin(held, held.c.submission_id == taken.c.id)
        .order_by(*_OLDEST_FIRST)
    )
    return connection.execute(described).all()


def waits(connection: Connection, event: str) -> bool:
    """Whether a submission of the event is held until a time that will come."""
    query = _new_of(event).where(holds.waits_for_a_time(event)).limit(1)
    return connection.execute(query).first() is not None


def _new_of(event: str, team: str | None = None) -> Select[Any]:
    of_event = (
        select(event_teams.c.id).join(events, events.c.id == event_teams.c.event_id).where(events.c.name == event)
    )
    if team is not None:
        of_event = of_event.join(teams, teams.c.id == event_teams.c.team_id).where(teams.c.name == team)
    sandbox = select(func.coalesce(events.c.ramp_sandbox_name, "")).where(events.c.name == event).scalar_subquery()
    return select(submissions.c.id).where(
        submissions.c.event_team_id.in_(of_event), submissions.c.state == State.NEW.value, submissions.c.name != sandbox
    )


def check_event(connection: Connection, event: str) -> None:
    if connection.scalar(select(events.c.id).where(events.c.name == event)) is None:
        raise UnknownName(f"the database has no event '{event}'", hint="the first `invoke submit` to it makes it")


def send_to_training(connection: Connection, ids: list[int], now: datetime) -> None:
    """RAMP counts the queue's places among those that were taken and have not been launched."""
    connection.execute(
        update(submissions)
        .where(submissions.c.id == bindparam("taken"))
        .values(
            state=State.SENT_TO_TRAINING.value,
            sent_to_training_timestamp=naive_utc(now),
            queue_position=bindparam("place"),
        ),
        [{"taken": one, "place": place} for place, one in enumerate(ids, start=1)],
    )
    folds = submission_on_cv_folds
    connection.execute(update(folds).where(folds.c.submission_id.in_(ids)).values(state=State.SENT_TO_TRAINING.value))


def next_numbers(connection: Connection, ids: list[int]) -> dict[int, tuple[int, int]]:
    """Give generation and attempt of each one's next run: a run that ended with a result ends its generation."""
    numbers = dict.fromkeys(ids, (1, 1))
    query = select(runs).where(runs.c.submission_id.in_(ids)).order_by(runs.c.attempt)
    for run in connection.execute(query):
        begins_anew = run.stage in (RunEnd.SCORED.value, RunEnd.FAILED.value)
        numbers[run.submission_id] = (run.generation + begins_anew, run.attempt + 1)
    return numbers


def note_claims(connection: Connection, works: Sequence[Work], now: datetime) -> None:
    claimed = literal(RunEnd.CLAIMED.value)
    new = select(runs.c.id, literal(State.NEW.value), claimed, literal(naive_utc(now)), literal("")).where(
        runs.c.lease_token.in_([work.lease_token for work in works])
    )
    columns = ["run_id", "from_stage", "to_stage", "at", "detail"]
    connection.execute(insert(transitions).from_select(columns, new))


def expected_output(connection: Connection, ids: list[int]) -> dict[int, tuple[int, tuple[str, ...]]]:
    folds = submission_on_cv_folds
    counts = (
        select(folds.c.submission_id, func.count())
        .where(folds.c.submission_id.in_(ids))
        .group_by(folds.c.submission_id)
    )
    names = (
        select(submission_scores.c.submission_id, event_score_types.c.name)
        .join(event_score_types, event_score_types.c.id == submission_scores.c.event_score_type_id)
        .where(submission_scores.c.submission_id.in_(ids))
        .order_by(event_score_types.c.id)
    )
    count_of: dict[int, int] = dict(connection.execute(counts).all())
    names_of: dict[int, tuple[str, ...]] = {}
    for one, name in connection.execute(names):
        names_of[one] = (*names_of.get(one, ()), name)
    return {one: (count_of.get(one, 0), names_of.get(one, ())) for one in ids}
