"""Find and advance the row of a run, within one transaction of the caller's."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, select

from contracts.errors import LeaseLost
from contracts.work import Work
from runner.store.own_tables import runs
from runner.store.times import naive_utc


def open_run(work: Work) -> Any:
    return (
        select(runs)
        .where(
            runs.c.submission_id == work.submission_id,
            runs.c.attempt == work.attempt,
            runs.c.ended_at.is_(None),
        )
        .with_for_update()
    )


def owned(connection: Connection, work: Work) -> Row[Any]:
    run = connection.execute(open_run(work)).one_or_none()
    if run is None:
        message = f"run {work.attempt} of submission {work.submission_id} has ended already"
        raise LeaseLost(message, hint="invoke status shows which run counts")
    return run


def step_closed(run: Row[Any], next_stage: str, now: datetime) -> dict[str, Any]:
    at = naive_utc(now)
    lasted = max(0.0, (at - run.stage_since).total_seconds())
    steps = run.steps_s | {run.stage: round(run.steps_s.get(run.stage, 0.0) + lasted, 6)}
    return {"stage": next_stage, "stage_since": at, "steps_s": steps}
