"""Find and advance the row of a run, within one transaction of the caller's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from contracts.errors import LeaseLost, RunOver
from contracts.work import Work
from runner.store.own_tables import runs, transitions
from runner.store.times import naive_utc


def found(connection: Connection, work: Work) -> Row[Any]:
    """Lock and give the run's row, whoever owns it. Raises RunOver where there is none."""
    query = (
        select(runs).where(runs.c.submission_id == work.submission_id, runs.c.attempt == work.attempt).with_for_update()
    )
    run = connection.execute(query).one_or_none()
    if run is None:
        raise run_over(work)
    return run


def owned(connection: Connection, work: Work) -> Row[Any]:
    """Lock and give the row of a run that goes on under our lease; raises RunOver or LeaseLost."""
    run = found(connection, work)
    if run.ended_at is not None:
        raise run_over(work)
    if run.lease_token != work.lease_token:
        raise lease_lost(work, run.lease_owner)
    return run


def has_newer(connection: Connection, run: Row[Any]) -> bool:
    """Whether the submission has a later run, as when RAMP's frontend made it `new` while this one went on."""
    query = select(runs.c.id).where(runs.c.submission_id == run.submission_id, runs.c.attempt > run.attempt)
    return connection.execute(query.limit(1)).first() is not None


def run_over(work: Work) -> RunOver:
    message = f"run {work.attempt} of submission {work.submission_id} has ended already"
    return RunOver(message, hint="invoke status shows which run counts")


def lease_lost(work: Work, owner: str) -> LeaseLost:
    message = f"run {work.attempt} of submission {work.submission_id} was adopted by {owner or 'another dispatcher'}"
    return LeaseLost(message, hint="its lease had expired: was this machine asleep, or the database away?")


def advance(
    connection: Connection, run: Row[Any], stage: str, now: datetime, *, detail: str = "", **values: Any
) -> None:
    """Move the run to a stage and note the transition; the lease is looked at once more, for the fence's sake."""
    at = naive_utc(now)
    lasted = max(0.0, (at - run.stage_since).total_seconds())
    steps = run.steps_s | {run.stage: round(run.steps_s.get(run.stage, 0.0) + lasted, 6)}
    moved = {"stage": stage, "stage_since": at, "steps_s": steps} | values
    connection.execute(update(runs).where(runs.c.id == run.id, runs.c.lease_token == run.lease_token).values(moved))
    note(connection, run.id, run.stage, stage, at, detail)


def note(connection: Connection, run_id: int, before: str, after: str, at: datetime, detail: str = "") -> None:
    connection.execute(
        insert(transitions).values(run_id=run_id, from_stage=before, to_stage=after, at=at, detail=detail)
    )
