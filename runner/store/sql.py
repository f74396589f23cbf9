"""Keep the queue and the record of results in RAMP's tables."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, update

from contracts.event import EventConfig
from contracts.instance import Launch
from contracts.work import (
    Adopted,
    Blame,
    Cause,
    Claimed,
    Failed,
    JobExit,
    Launched,
    Provisioned,
    Scored,
    Spread,
    StageValue,
    Work,
)
from runner.judging.faults import cancelled
from runner.progress import Stage
from runner.store import claiming, holds, journal, launching, leases, pausing, results, run_rows
from runner.store.database import Database
from runner.store.messages import error_message, state_of, storable
from runner.store.own_tables import runs
from runner.store.rows import RunEnd
from runner.store.tables import State
from runner.store.times import aware, naive_utc
from runner.store.work_order import work_order


class SqlStore:
    """The Store of one event on SQLite or PostgreSQL; every method is one transaction.

    `clock` gives aware datetimes; leases live `lease_s` by the database's time and show `owner`, and end with an owner
    that `is_dead`. Every method may raise StoreUnavailable, and those that write about a run raise LeaseLost when
    somebody else has adopted it, RunOver when it has ended already.
    """

    def __init__(
        self,
        url: str,
        event: EventConfig,
        clock: Callable[[], datetime],
        *,
        owner: str = "",
        is_dead: Callable[[str], bool] = lambda _: False,
        lease_s: float = leases.LEASE_S,
    ) -> None:
        self.database = Database(url)
        self._event = event
        self._clock = clock
        self._owner = owner
        self._is_dead = is_dead
        self._lease_s = lease_s

    def claim(self, event: str, limit: int) -> list[Claimed]:
        """Take the `limit` oldest new submissions; raises UnknownName when the database has no such event."""
        if limit < 1:
            return []
        return self._claim(event, limit)

    def claim_one(self, event: str, team: str, submission: str) -> Claimed | None:
        """Take the one submission if it is new, whatever stands before it; raises UnknownName as `claim` does."""
        return next(iter(self._claim(event, 1, (team, submission))), None)

    def waits(self, event: str) -> bool:
        """Whether a submission is held until a time that will come, and the event is not paused."""
        with self.database.reading() as connection:
            return claiming.waits(connection, event)

    def paused(self, event: str) -> str:
        """Why nothing of the event is claimed; empty where it is not paused."""
        with self.database.reading() as connection:
            return pausing.paused(connection, event)

    def stage_started(self, work: Work, stage: Stage, host_id: str = "", *, after: StageValue | None = None) -> None:
        """Note that a run entered a stage, with the value of the stage `after` which it did.

        A run that has ended stays as it is; raises LeaseLost where another dispatcher has adopted it.
        """
        with self.database.writing() as connection:
            run = run_rows.found(connection, work)
            if run.ended_at is not None:
                return
            if run.lease_token != work.lease_token:
                raise run_rows.lease_lost(work, run.lease_owner)
            values: dict[str, Any] = {"host_id": host_id} if host_id else {}
            if after is not None:
                values["journal"] = journal.dumped(after)
            if isinstance(after, Provisioned):
                values["image_id"] = after.image_id
            run_rows.advance(connection, run, stage.value, self._clock(), **values)

    def training_started(self, launched: Launched | Spread) -> None:
        """The job runs: state `training`, since `launched_at`."""
        provisioned = launched.pushed.provisioned if isinstance(launched, Launched) else launched.provisioned
        work = provisioned.claimed.work
        with self.database.writing() as connection:
            run = run_rows.owned(connection, work)
            known = {"host_id": provisioned.host.host_id, "image_id": provisioned.image_id}
            values = known | {"journal": journal.dumped(launched)}
            connection.execute(update(runs).where(runs.c.id == run.id).values(values))
            started = naive_utc(launched.launched_at)
            results.set_state(
                connection, work.submission_id, State.TRAINING, training_timestamp=started, queue_position=-1
            )

    def record_scored(self, scored: Scored) -> None:
        """Write times, scores and the state `scored`; a late result is kept as `superseded`, and RunOver raised."""
        finished = scored.pulled.finished
        provisioned = finished.launched.pushed.provisioned
        work = provisioned.claimed.work
        kept, image = journal.scores_as_text(scored), {"image_id": provisioned.image_id}
        with self.database.writing() as connection:
            counts = self._end_run(connection, work, RunEnd.SCORED, exit=finished.exit, kept=kept, told=image)
            if counts:
                results.write_folds(connection, work.submission_id, scored)
                results.write_bagged(connection, work.submission_id, scored)
                summary = results.time_summary(scored) | {
                    "max_ram": finished.exit.peak_memory_bytes / 2**20,
                    "error_msg": "",
                }
                results.set_state(connection, work.submission_id, State.SCORED, queue_position=-1, **summary)
                pausing.forget_organisers_errors(connection, work.event)
        if not counts:
            raise run_rows.run_over(work)

    def record_failed(self, failed: Failed) -> None:
        """Write the failure; fold scores and messages stay as they were, as in RAMP. Late ones as `record_scored`."""
        with self.database.writing() as connection:
            counts = self._end_failed(connection, failed)
            if counts and failed.blame is Blame.PARTICIPANT:
                pausing.forget_organisers_errors(connection, failed.work.event)
            elif counts and failed.blame is Blame.ORGANISER and failed.cause is not Cause.CANCELLED:
                now = naive_utc(self._clock())
                pausing.note_organisers_error(connection, failed.work.event, storable(failed.message), now)
        if not counts:
            raise run_rows.run_over(failed.work)

    def losses(self, work: Work) -> dict[Cause, int]:
        """Count the earlier runs of the run's generation that were lost, by cause."""
        with self.database.reading() as connection:
            return leases.losses(connection, work)

    def requeue(
        self,
        claimed: Claimed,
        reason: str,
        cause: Cause | None = None,
        *,
        wait_s: float = 0.0,
        on_demand: bool = False,
    ) -> None:
        """Give an unfinished submission back to the queue, held for `wait_s`; its place is that of its submission time.

        One that the organiser wants ended ends instead.
        """
        work, message = claimed.work, storable(reason)
        why = {"message": message} if cause is None else {"message": message, "cause": cause.value}
        with self.database.writing() as connection:
            run = run_rows.found(connection, work)
            if run.ended_at is None and run.cancel_asked_at is not None:
                self._end_failed(connection, cancelled(work))
            elif self._end_run(connection, work, RunEnd.REQUEUED, kept=message, told=why):
                untouched = {"sent_to_training_timestamp": None, "training_timestamp": None, "queue_position": -1}
                results.set_state(connection, work.submission_id, State.NEW, **untouched)
                if wait_s > 0 or on_demand:
                    now = leases.database_now(connection)
                    holds.hold(connection, work.submission_id, message, now=now, wait_s=wait_s, on_demand=on_demand)

    def released(self, work: Work) -> None:
        """The run that ended has no host any more: its lease ends, and no secret of its host is kept."""
        with self.database.writing() as connection:
            is_ours = (runs.c.submission_id == work.submission_id) & (runs.c.lease_token == work.lease_token)
            ended = runs.c.ended_at.is_not(None)
            ours = update(runs).where(is_ours, ended).values(lease_expires_at=None).returning(runs.c.id)
            for run_id in connection.scalars(ours).all():
                launching.forget_secrets(connection, run_id)

    def renew(self, lease_tokens: Collection[str]) -> None:
        """Let the leases that are still ours live on, in one update."""
        with self.database.writing() as connection:
            leases.renew(connection, lease_tokens, self._lease_s)

    def unwanted(self, lease_tokens: Collection[str]) -> set[str]:
        """Give those of the leases whose runs the organiser wants ended."""
        with self.database.reading() as connection:
            return leases.unwanted(connection, lease_tokens)

    def hand_back(self, lease_tokens: Collection[str]) -> None:
        """Let the leases that are still ours end now."""
        with self.database.writing() as connection:
            leases.end_now(connection, lease_tokens)

    def adopt(self, event: str, limit: int, held: Collection[str] = ()) -> list[Adopted]:
        """Take the oldest `limit` runs whose dispatcher went away, under leases of our own."""
        if limit < 1:
            return []
        with self.database.reading() as connection:  # nearly always there is none, and readers disturb nobody
            dead = [owner for owner in leases.other_owners(connection, event, self._owner) if self._is_dead(owner)]
            if not leases.orphans(connection, event, 1, dead=dead, held=held):
                return []
        with self.database.writing() as connection:
            found = leases.orphans(connection, event, limit, dead=dead, held=held)
            return [self._adopted(connection, run) for run in found]

    def held_elsewhere(self, event: str, lease_tokens: Collection[str]) -> bool:
        """Whether a run of the event goes on, or waits to be adopted, under another lease than these."""
        with self.database.reading() as connection:
            return leases.held_elsewhere(connection, event, lease_tokens)

    def kept(self, work: Work) -> Launch | None:
        """Give the run's last launch, unless EC2 gave it no instance."""
        with self.database.writing() as connection:
            return launching.kept(connection, run_rows.owned(connection, work).id)

    def intend(self, works: Sequence[Work], launch: Launch) -> None:
        """Keep a launch before it is asked for, with the runs it is for."""
        with self.database.writing() as connection:
            launching.keep(connection, [run_rows.owned(connection, work).id for work in works], launch)

    def answered(self, client_token: str, instance_ids: Mapping[int, str]) -> dict[int, str]:
        """EC2 has answered: the launch's user data is forgotten. Gives the instances that runs hold, by submission."""
        with self.database.writing() as connection:
            return launching.answered(connection, client_token, instance_ids, self._clock())

    def note_own_key(self, work: Work, instance_id: str, own_key: str) -> None:
        """Keep the key that the run's instance shows from now on."""
        with self.database.writing() as connection:
            launching.note_own_key(connection, run_rows.owned(connection, work).id, instance_id, own_key)

    def close(self) -> None:
        """Give back every connection to the database."""
        self.database.close()

    def _claim(self, event: str, limit: int, only: tuple[str, str] | None = None) -> list[Claimed]:
        now = self._clock()
        with self.database.writing() as connection:
            database_now = leases.database_now(connection)
            waiting = claiming.oldest_new(connection, event, limit, database_now, only)
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
                    lease_token=leases.new_token(),
                    on_demand=bool(row.on_demand),
                )
                for row in waiting
            ]
            if any(row.on_demand is not None for row in waiting):
                holds.lift(connection, ids)
            lease = leases.lease_of(self._owner, database_now, self._lease_s)
            connection.execute(insert(runs), [self._new_run(work, now, lease) for work in works])
            claiming.note_claims(connection, works, now)
        return [Claimed(work, now) for work in works]

    def _new_run(self, work: Work, now: datetime, lease: dict[str, Any]) -> dict[str, Any]:
        return lease | {
            "lease_token": work.lease_token,
            "submission_id": work.submission_id,
            "generation": work.generation,
            "attempt": work.attempt,
            "worker_type": self._event.worker.worker_type,
            "stage": RunEnd.CLAIMED.value,
            "stage_since": naive_utc(now),
            "steps_s": {},
            "host_id": "",
            "image_id": "",
            "on_demand": work.on_demand,
            "started_at": naive_utc(now),
            "message": "",
        }

    def _adopted(self, connection: Connection, run: Row[Any]) -> Adopted:
        token = leases.new_token()
        lease = leases.lease_of(self._owner, leases.database_now(connection), self._lease_s) | {"lease_token": token}
        connection.execute(update(runs).where(runs.c.id == run.id).values(lease))
        detail = f"adopted by {self._owner} from {run.lease_owner}"
        run_rows.note(connection, run.id, run.stage, run.stage, naive_utc(self._clock()), detail)
        value = journal.loaded(run.journal, token)
        if value is None:  # every later stage finds done what was done of it
            value = Claimed(self._work_of(connection, run, token), aware(run.started_at))
        return Adopted(value, has_ended=run.ended_at is not None)

    def _work_of(self, connection: Connection, run: Row[Any], token: str) -> Work:
        """Order the work of a run that was claimed, and nothing more, once again."""
        return work_order(
            self._event,
            submission_id=run.submission_id,
            team=run.team,
            submission=run.submission,
            run=(run.generation, run.attempt),
            expected=claiming.expected_output(connection, [run.submission_id])[run.submission_id],
            lease_token=token,
            on_demand=run.on_demand,
        )

    def _end_failed(self, connection: Connection, failed: Failed) -> bool:
        """Close a run that failed, and its submission where that counts."""
        work, message = failed.work, storable(failed.message)
        summary: dict[str, Any] = {"error_msg": error_message(failed)}
        if failed.exit is not None:
            summary["max_ram"] = failed.exit.peak_memory_bytes / 2**20
        why = {"message": message, "cause": failed.cause.value, "blame": failed.blame.value}
        counts = self._end_run(connection, work, RunEnd.FAILED, exit=failed.exit, kept=message, told=why)
        if counts:
            results.set_state(connection, work.submission_id, state_of(failed), queue_position=-1, **summary)
        return counts

    def _end_run(
        self,
        connection: Connection,
        work: Work,
        end: RunEnd,
        *,
        exit: JobExit | None = None,
        kept: str,
        told: Mapping[str, str] | None = None,
    ) -> bool:
        """Close the run's row, which is the guard of everything written beside it; says whether the result counts.

        It does not when the submission was given back to the queue meanwhile, or is in a newer run's hands: then
        what is `kept` of it goes into the history, instead of what is `told` into the row.
        """
        run = run_rows.found(connection, work)
        was_given_back = run.stage == RunEnd.REQUEUED.value and end is not RunEnd.REQUEUED
        if run.ended_at is not None and not was_given_back:
            raise run_rows.run_over(work)
        if run.ended_at is None and run.lease_token != work.lease_token:
            raise run_rows.lease_lost(work, run.lease_owner)
        counts = not was_given_back and not run_rows.has_newer(connection, run)
        if not counts and end is not RunEnd.REQUEUED:
            end, told = RunEnd.SUPERSEDED, None
        now = self._clock()
        closing: dict[str, Any] = {"ended_at": naive_utc(now)} | dict(told or {})
        if exit is not None:
            closing |= {"exit_code": exit.code, "peak_memory_bytes": exit.peak_memory_bytes}
            closing |= {"cpu_time_s": exit.cpu_time_s, "containment": exit.containment}
        detail = kept if end is not RunEnd.SCORED else ""
        run_rows.advance(connection, run, end.value, now, detail=detail, **closing)
        return counts
