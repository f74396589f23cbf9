"""Keep the queue and the record of results in RAMP's tables."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, update

from contracts.event import EventConfig
from contracts.work import Claimed, Failed, JobExit, Launched, Scored, Work
from runner.progress import Stage
from runner.store import claiming, results, run_rows
from runner.store.database import Database
from runner.store.messages import error_message, state_of, storable
from runner.store.own_tables import runs
from runner.store.rows import RunEnd
from runner.store.tables import State
from runner.store.times import naive_utc
from runner.store.work_order import work_order


class SqlStore:
    """The Store of one event on SQLite or PostgreSQL; every method is one transaction.

    `clock` gives aware datetimes. Every method may raise StoreUnavailable, and those that write about a run raise
    LeaseLost when that run has ended already.
    """

    def __init__(self, url: str, event: EventConfig, clock: Callable[[], datetime]) -> None:
        self.database = Database(url)
        self._event = event
        self._clock = clock

    def claim(self, event: str, limit: int) -> list[Claimed]:
        """Take the `limit` oldest new submissions; raises UnknownName when the database has no such event."""
        if limit < 1:
            return []
        return self._claim(event, limit)

    def claim_one(self, event: str, team: str, submission: str) -> Claimed | None:
        """Take the one submission if it is new, whatever stands before it; raises UnknownName as `claim` does."""
        return next(iter(self._claim(event, 1, (team, submission))), None)

    def stage_started(self, work: Work, stage: Stage, host_id: str = "") -> None:
        """Note that a run entered a stage, for those who watch; a run that has ended stays as it is."""
        with self.database.writing() as connection:
            run = connection.execute(run_rows.open_run(work)).one_or_none()
            if run is not None:
                values = run_rows.step_closed(run, stage.value, self._clock())
                if host_id:
                    values["host_id"] = host_id
                connection.execute(update(runs).where(runs.c.id == run.id).values(values))

    def training_started(self, launched: Launched) -> None:
        """The job runs: state `training`, since `launched_at`."""
        provisioned = launched.pushed.provisioned
        work = provisioned.claimed.work
        with self.database.writing() as connection:
            run = run_rows.owned(connection, work)
            where = {"host_id": provisioned.host.host_id, "image_id": provisioned.image_id}
            connection.execute(update(runs).where(runs.c.id == run.id).values(where))
            started = naive_utc(launched.launched_at)
            results.set_state(
                connection, work.submission_id, State.TRAINING, training_timestamp=started, queue_position=-1
            )

    def record_scored(self, scored: Scored) -> None:
        """Write times, scores and the state `scored`."""
        finished = scored.pulled.finished
        work = finished.launched.pushed.provisioned.claimed.work
        with self.database.writing() as connection:
            self._end_run(connection, work, RunEnd.SCORED, exit=finished.exit)
            results.write_folds(connection, work.submission_id, scored)
            results.write_bagged(connection, work.submission_id, scored)
            summary = results.time_summary(scored) | {
                "max_ram": finished.exit.peak_memory_bytes / 2**20,
                "error_msg": "",
            }
            results.set_state(connection, work.submission_id, State.SCORED, queue_position=-1, **summary)

    def record_failed(self, failed: Failed) -> None:
        """Write the failure; fold scores and messages stay as they were, as in RAMP."""
        summary: dict[str, Any] = {"error_msg": error_message(failed)}
        if failed.exit is not None:
            summary["max_ram"] = failed.exit.peak_memory_bytes / 2**20
        with self.database.writing() as connection:
            self._end_run(
                connection,
                failed.work,
                RunEnd.FAILED,
                exit=failed.exit,
                message=storable(failed.message),
                cause=failed.cause.value,
                blame=failed.blame.value,
            )
            results.set_state(connection, failed.work.submission_id, state_of(failed), queue_position=-1, **summary)

    def requeue(self, claimed: Claimed, reason: str) -> None:
        """Give an unfinished submission back to the queue; its place is that of its submission time."""
        with self.database.writing() as connection:
            self._end_run(connection, claimed.work, RunEnd.REQUEUED, message=reason)
            untouched = {"sent_to_training_timestamp": None, "training_timestamp": None, "queue_position": -1}
            results.set_state(connection, claimed.work.submission_id, State.NEW, **untouched)

    def close(self) -> None:
        """Give back every connection to the database."""
        self.database.close()

    def _claim(self, event: str, limit: int, only: tuple[str, str] | None = None) -> list[Claimed]:
        now = self._clock()
        with self.database.writing() as connection:
            waiting = claiming.oldest_new(connection, event, limit, only)
            if not waiting:
                claiming.check_event(connection, event)
                return []
            ids = [row.id for row in waiting]
            claiming.send_to_training(connection, ids, now)
            numbers = claiming.next_numbers(connection, ids)
            expected = claiming.expected_output(connection, ids)
            works = [
                work_order(
                    self._event,
                    submission_id=row.id,
                    team=row.team,
                    submission=row.name,
                    run=numbers[row.id],
                    expected=expected[row.id],
                )
                for row in waiting
            ]
            connection.execute(insert(runs), [self._new_run(work, now) for work in works])
        return [Claimed(work, now) for work in works]

    def _new_run(self, work: Work, now: datetime) -> dict[str, Any]:
        return {
            "submission_id": work.submission_id,
            "generation": work.generation,
            "attempt": work.attempt,
            "worker_type": self._event.worker.worker_type,
            "stage": RunEnd.CLAIMED.value,
            "stage_since": naive_utc(now),
            "steps_s": {},
            "host_id": "",
            "image_id": "",
            "started_at": naive_utc(now),
            "message": "",
        }

    def _end_run(
        self, connection: Connection, work: Work, end: RunEnd, *, exit: JobExit | None = None, **values: str
    ) -> None:
        """Close the run's row, which is the guard of everything written beside it."""
        run = run_rows.owned(connection, work)
        now = self._clock()
        closing: dict[str, Any] = run_rows.step_closed(run, end.value, now) | {"ended_at": naive_utc(now)} | values
        if exit is not None:
            closing |= {"exit_code": exit.code, "peak_memory_bytes": exit.peak_memory_bytes}
        connection.execute(update(runs).where(runs.c.id == run.id).values(closing))
