"""Keep the queue and the record of results in memory: the database's twin for tests and rehearsals."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from statistics import fmean

from contracts.errors import KitInvalid, LeaseLost, SubmissionInvalid, UnknownName
from contracts.event import EventConfig
from contracts.work import Blame, Cause, Claimed, Failed, JobExit, Launched, Scored, Work
from runner.kit import KitDescription
from runner.progress import Stage
from runner.store.messages import error_message, state_of, storable
from runner.store.ranking import ranked
from runner.store.rows import FailureRow, Leaderboard, LeaderboardRow, RunEnd, SubmissionRow
from runner.store.submission_folder import check_name, staged
from runner.store.tables import ERROR_STATES, State
from runner.store.work_order import work_order


@dataclass
class _Run:
    work: Work
    started_at: datetime
    since: datetime
    stage: str = RunEnd.CLAIMED.value
    steps: dict[str, float] = field(default_factory=dict)
    host_id: str = ""
    ended_at: datetime | None = None
    exit: JobExit | None = None
    blame: Blame | None = None
    cause: Cause | None = None
    message: str = ""


@dataclass
class _Submission:
    id: int
    team: str
    name: str
    submitted_at: datetime
    state: State = State.NEW
    error: str = ""
    runs: list[_Run] = field(default_factory=list)
    scored: Scored | None = None


class MemoryStore:
    """Store and Catalogue of one event at once, with the same promises as the database; it may be used from threads."""

    def __init__(self, event: EventConfig, clock: Callable[[], datetime]) -> None:
        self._event = event
        self._clock = clock
        self._lock = threading.RLock()
        self._ids = itertools.count(1)
        self._kit: KitDescription | None = None
        self._teams: set[str] = set()
        self._submissions: dict[int, _Submission] = {}

    # The Store

    def claim(self, event: str, limit: int) -> list[Claimed]:
        """Take the `limit` oldest new submissions."""
        with self._lock:
            kit = self._described(event)
            now = self._clock()
            waiting = [one for one in self._in_order() if one.state is State.NEW][: max(0, limit)]
            return [self._claimed(one, kit, now) for one in waiting]

    def claim_one(self, event: str, team: str, submission: str) -> Claimed | None:
        """Take the one submission if it is new, whatever stands before it."""
        with self._lock:
            kit = self._described(event)
            for one in self._in_order():
                if (one.team, one.name, one.state) == (team, submission, State.NEW):
                    return self._claimed(one, kit, self._clock())
        return None

    def stage_started(self, work: Work, stage: Stage, host_id: str = "") -> None:
        """Note that a run entered a stage; a run that has ended stays as it is."""
        with self._lock:
            run = self._run(work)
            if run.ended_at is None:
                self._enter(run, stage.value)
                run.host_id = host_id or run.host_id

    def training_started(self, launched: Launched) -> None:
        """The job runs: state `training`."""
        with self._lock:
            provisioned = launched.pushed.provisioned
            work = provisioned.claimed.work
            self._owned(work).host_id = provisioned.host.host_id
            self._submissions[work.submission_id].state = State.TRAINING

    def record_scored(self, scored: Scored) -> None:
        """Keep the scores; state `scored`."""
        with self._lock:
            finished = scored.pulled.finished
            work = finished.launched.pushed.provisioned.claimed.work
            self._end(work, RunEnd.SCORED).exit = finished.exit
            submission = self._submissions[work.submission_id]
            submission.state, submission.scored, submission.error = State.SCORED, scored, ""

    def record_failed(self, failed: Failed) -> None:
        """Keep the failure."""
        with self._lock:
            run = self._end(failed.work, RunEnd.FAILED)
            run.exit, run.blame, run.cause = failed.exit, failed.blame, failed.cause
            run.message = storable(failed.message)
            submission = self._submissions[failed.work.submission_id]
            submission.state, submission.error = state_of(failed), error_message(failed)

    def requeue(self, claimed: Claimed, reason: str) -> None:
        """Give an unfinished submission back to the queue: state `new`."""
        with self._lock:
            self._end(claimed.work, RunEnd.REQUEUED).message = reason
            self._submissions[claimed.work.submission_id].state = State.NEW

    def close(self) -> None:
        """Nothing is open."""

    # The catalogue

    def has_event(self, event: str) -> bool:
        """Whether the store was told of the event."""
        with self._lock:
            return self._kit is not None and event == self._event.name

    def add_event(self, event: EventConfig, kit: KitDescription) -> None:
        """Tell the store the event's folds and score types; the same again changes nothing."""
        with self._lock:
            if self._kit is not None and not _same(self._kit, kit):
                hint = "make a new event for the changed kit"
                raise KitInvalid(f"event '{event.name}' has other folds or score types than its kit", hint=hint)
            self._kit = kit

    def add_team(self, event: str, team: str) -> None:
        """Add a team; the same team again changes nothing."""
        check_name(team, "team")
        with self._lock:
            self._described(event)
            self._teams.add(team)

    def add_submission(self, event: EventConfig, team: str, name: str, source: Path) -> int:
        """Copy a team's folder of code and put it into the queue; gives the submission's id."""
        check_name(name, "submission")
        submissions_dir = event.ramp.submissions_dir
        with staged(source, submissions_dir) as folder, self._lock:
            self._described(event.name)
            if team not in self._teams:
                raise UnknownName(f"event '{event.name}' has no team '{team}'", hint="add the team first")
            if name == event.ramp.sandbox_dir:
                raise SubmissionInvalid(f"'{name}' is the sandbox's name, which is never run", hint="take another name")
            if any((one.team, one.name) == (team, name) for one in self._submissions.values()):
                raise SubmissionInvalid(f"team {team} has a submission '{name}' already", hint="take another name")
            submission = _Submission(next(self._ids), team, name, self._clock())
            self._submissions[submission.id] = submission
            folder.rename(submissions_dir / f"submission_{submission.id:09d}")
        return submission.id

    def submissions(self, event: str) -> list[SubmissionRow]:
        """List the submissions, oldest first."""
        with self._lock:
            self._described(event)
            places = itertools.count(1)
            return [_row(one, next(places) if one.state is State.NEW else None) for one in self._in_order()]

    def leaderboard(self, event: str, *, step: str = "valid") -> Leaderboard:
        """Rank the scored submissions by the official score on `valid` or `test` data."""
        with self._lock:
            kit = self._described(event)
            rows = [_leaderboard_row(one, one.scored) for one in self._in_order() if one.scored is not None]
            return ranked(Leaderboard(event, kit.score_types, tuple(rows)), step)

    def failures(self, event: str) -> list[FailureRow]:
        """List the submissions that ended without scores, oldest first."""
        with self._lock:
            self._described(event)
            return [_failure_row(one) for one in self._in_order() if one.state in ERROR_STATES]

    def _described(self, event: str) -> KitDescription:
        if event != self._event.name or self._kit is None:
            raise UnknownName(f"the database has no event '{event}'", hint="add the event first")
        return self._kit

    def _in_order(self) -> Iterable[_Submission]:
        return sorted(self._submissions.values(), key=lambda one: (one.submitted_at, one.id))

    def _claimed(self, submission: _Submission, kit: KitDescription, now: datetime) -> Claimed:
        last = submission.runs[-1] if submission.runs else None
        generation = last.work.generation + (last.stage != RunEnd.REQUEUED.value) if last else 1
        work = work_order(
            self._event,
            submission_id=submission.id,
            team=submission.team,
            submission=submission.name,
            run=(generation, len(submission.runs) + 1),
            expected=(kit.folds, tuple(one.name for one in kit.score_types)),
        )
        submission.runs.append(_Run(work, started_at=now, since=now))
        submission.state = State.SENT_TO_TRAINING
        return Claimed(work, now)

    def _run(self, work: Work) -> _Run:
        return self._submissions[work.submission_id].runs[work.attempt - 1]

    def _owned(self, work: Work) -> _Run:
        run = self._run(work)
        if run.ended_at is not None:
            raise LeaseLost(f"run {work.attempt} of submission {work.submission_id} has ended already")
        return run

    def _enter(self, run: _Run, stage: str) -> None:
        now = self._clock()
        run.steps[run.stage] = run.steps.get(run.stage, 0.0) + (now - run.since).total_seconds()
        run.stage, run.since = stage, now

    def _end(self, work: Work, end: RunEnd) -> _Run:
        run = self._owned(work)
        self._enter(run, end.value)
        run.ended_at = run.since
        return run


def _same(known: KitDescription, kit: KitDescription) -> bool:
    names = [one.name for one in known.score_types]
    return known.folds == kit.folds and names == [one.name for one in kit.score_types]


def _row(submission: _Submission, place: int | None) -> SubmissionRow:
    row = SubmissionRow(
        submission_id=submission.id,
        team=submission.team,
        submission=submission.name,
        state=submission.state.value,
        submitted_at=submission.submitted_at,
        queue_position=place,
    )
    if not submission.runs:
        return row
    run = submission.runs[-1]
    return replace(
        row,
        attempt=run.work.attempt,
        stage=run.stage,
        since=run.since,
        host_id=run.host_id,
        started_at=run.started_at,
        ended_at=run.ended_at,
        blame=run.blame,
        cause=run.cause,
        reason=run.message,
        peak_memory_bytes=run.exit.peak_memory_bytes if run.exit else None,
        steps=dict(run.steps),
    )


def _leaderboard_row(submission: _Submission, scored: Scored) -> LeaderboardRow:
    bagged = {
        step: {name: bags[-1] for name, bags in by_name.items() if bags}
        for step, by_name in scored.bagged.scores.items()
    }
    return LeaderboardRow(
        submission_id=submission.id,
        team=submission.team,
        submission=submission.name,
        valid=bagged.get("valid", {}),
        test=bagged.get("test", {}),
        train_time_s=fmean(fold.train_time_s for fold in scored.folds),
        valid_time_s=fmean(fold.valid_time_s for fold in scored.folds),
        test_time_s=fmean(fold.test_time_s for fold in scored.folds),
        submitted_at=submission.submitted_at,
    )


def _failure_row(submission: _Submission) -> FailureRow:
    run = submission.runs[-1]
    return FailureRow(
        submission_id=submission.id,
        team=submission.team,
        submission=submission.name,
        state=submission.state.value,
        blame=run.blame,
        cause=run.cause,
        reason=run.message,
        error=submission.error,
        exit_code=run.exit.code if run.exit else None,
        ended_at=run.ended_at,
    )
