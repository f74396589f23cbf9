"""Keep the queue and the record of results in memory: the database's twin for tests and rehearsals."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from statistics import fmean

from contracts.errors import KitInvalid, LeaseLost, RunOver, SubmissionInvalid, UnknownName
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
from runner.judging import retry
from runner.judging.faults import cancelled
from runner.kit import KitDescription
from runner.progress import Stage
from runner.store import journal
from runner.store.leases import LEASE_S, new_token
from runner.store.messages import error_message, state_of, storable
from runner.store.pausing import pause_reason
from runner.store.ranking import ranked
from runner.store.rows import FailureRow, Leaderboard, LeaderboardRow, RunEnd, SubmissionRow
from runner.store.submission_folder import check_name, staged
from runner.store.tables import ERROR_STATES, State
from runner.store.work_order import work_order

_RESULTS = (RunEnd.SCORED.value, RunEnd.FAILED.value)


@dataclass
class _Run:
    work: Work
    started_at: datetime
    since: datetime
    stage: str = RunEnd.CLAIMED.value
    steps: dict[str, float] = field(default_factory=dict)
    host_id: str = ""
    image_id: str = ""
    ended_at: datetime | None = None
    exit: JobExit | None = None
    blame: Blame | None = None
    cause: Cause | None = None
    message: str = ""
    value: StageValue | None = None
    launch: Launch | None = None
    is_answered: bool = False
    lease_token: str = ""
    lease_expires_at: datetime | None = None
    is_to_end: bool = False


@dataclass
class _Hold:
    until: datetime
    on_demand: bool


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
    hold: _Hold | None = None


class MemoryStore:
    """Store and Catalogue of one event at once, with the same promises as the database; it may be used from threads."""

    def __init__(self, event: EventConfig, clock: Callable[[], datetime], *, lease_s: float = LEASE_S) -> None:
        self._event = event
        self._clock = clock
        self._lease = timedelta(seconds=lease_s)
        self._lock = threading.RLock()
        self._ids = itertools.count(1)
        self._kit: KitDescription | None = None
        self._teams: set[str] = set()
        self._submissions: dict[int, _Submission] = {}
        self._organiser_errors = 0
        self._pause_reason = ""

    # The Store

    def claim(self, event: str, limit: int) -> list[Claimed]:
        """Take the `limit` oldest new submissions."""
        with self._lock:
            kit = self._described(event)
            now = self._clock()
            if self._pause_reason:
                return []
            waiting = [one for one in self._in_order() if one.state is State.NEW]
            free = [one for one in waiting if one.hold is None or one.hold.until <= now]
            return [self._claimed(one, kit, now) for one in free[: max(0, limit)]]

    def claim_one(self, event: str, team: str, submission: str) -> Claimed | None:
        """Take the one submission if it is new, whatever stands before it."""
        with self._lock:
            kit = self._described(event)
            for one in self._in_order():
                if (one.team, one.name, one.state) == (team, submission, State.NEW):
                    return self._claimed(one, kit, self._clock())
        return None

    def waits(self, event: str) -> bool:
        """Whether a submission is held until a time that will come, and the event is not paused."""
        with self._lock:
            self._described(event)
            held = any(one.state is State.NEW and one.hold is not None for one in self._submissions.values())
            return held and not self._pause_reason

    def paused(self, event: str) -> str:
        """Why nothing is claimed; empty where the event is not paused."""
        with self._lock:
            self._described(event)
            return self._pause_reason

    def resume(self, event: str) -> None:
        """Do what an organiser's wish does to the database: end the pause, and begin to count anew."""
        with self._lock:
            self._described(event)
            self._organiser_errors, self._pause_reason = 0, ""

    def ask_to_end(self, submission_id: int) -> None:
        """Do what an organiser's wish does to the database: mark the run that goes on as one to be cancelled."""
        with self._lock:
            self._submissions[submission_id].runs[-1].is_to_end = True

    def stage_started(self, work: Work, stage: Stage, host_id: str = "", *, after: StageValue | None = None) -> None:
        """Note that a run entered a stage; a run that has ended stays as it is."""
        with self._lock:
            if self._run(work).ended_at is None:
                run = self._owned(work)
                self._enter(run, stage.value)
                run.host_id = host_id or run.host_id
                run.value = after or run.value
                run.image_id = after.image_id if isinstance(after, Provisioned) else run.image_id

    def training_started(self, launched: Launched | Spread) -> None:
        """The job runs: state `training`."""
        with self._lock:
            provisioned = launched.pushed.provisioned if isinstance(launched, Launched) else launched.provisioned
            work = provisioned.claimed.work
            run = self._owned(work)
            run.host_id, run.value = provisioned.host.host_id, launched
            run.image_id = provisioned.image_id
            self._submissions[work.submission_id].state = State.TRAINING

    def record_scored(self, scored: Scored) -> None:
        """Keep the scores; state `scored`."""
        with self._lock:
            finished = scored.pulled.finished
            provisioned = finished.launched.pushed.provisioned
            work = provisioned.claimed.work
            self._end(work, RunEnd.SCORED, finished.exit).image_id = provisioned.image_id
            submission = self._submissions[work.submission_id]
            submission.state, submission.scored, submission.error = State.SCORED, scored, ""
            self._organiser_errors = 0

    def record_failed(self, failed: Failed) -> None:
        """Keep the failure."""
        with self._lock:
            self._end_failed(failed)
            if failed.blame is Blame.PARTICIPANT:
                self._organiser_errors = 0
            elif failed.blame is Blame.ORGANISER and failed.cause is not Cause.CANCELLED:
                self._organiser_errors += 1
                if retry.pauses_event(self._organiser_errors) and not self._pause_reason:
                    self._pause_reason = pause_reason(self._organiser_errors, storable(failed.message))

    def losses(self, work: Work) -> dict[Cause, int]:
        """Count the earlier runs of the run's generation that were lost, by cause."""
        with self._lock:
            earlier = self._submissions[work.submission_id].runs[: work.attempt - 1]
            of_generation = (run for run in earlier if run.work.generation == work.generation)
            return dict(Counter(run.cause for run in of_generation if run.cause is not None))

    def requeue(
        self,
        claimed: Claimed,
        reason: str,
        cause: Cause | None = None,
        *,
        wait_s: float = 0.0,
        on_demand: bool = False,
    ) -> None:
        """Give an unfinished submission back to the queue, held for `wait_s`; one that is to be cancelled ends."""
        with self._lock:
            if self._run(claimed.work).is_to_end and self._run(claimed.work).ended_at is None:
                self._end_failed(cancelled(claimed.work))
                return
            run = self._end(claimed.work, RunEnd.REQUEUED)
            run.message, run.cause = storable(reason), cause
            submission = self._submissions[claimed.work.submission_id]
            submission.state = State.NEW
            if wait_s > 0 or on_demand:
                submission.hold = _Hold(self._clock() + timedelta(seconds=wait_s), on_demand)

    def released(self, work: Work) -> None:
        """The run that ended has no host any more: its lease ends."""
        with self._lock:
            run = self._run(work)
            if run.ended_at is not None and run.lease_token == work.lease_token:
                run.lease_expires_at = None

    def renew(self, lease_tokens: Collection[str]) -> None:
        """Let the leases that are still ours live on."""
        with self._lock:
            expires_at = self._clock() + self._lease
            for run in self._leased():
                if run.lease_token in lease_tokens:
                    run.lease_expires_at = expires_at

    def unwanted(self, lease_tokens: Collection[str]) -> set[str]:
        """Give those of the leases whose runs the organiser wants ended."""
        with self._lock:
            ours = (run for run in self._leased() if run.lease_token in lease_tokens)
            return {run.lease_token for run in ours if run.is_to_end and run.ended_at is None}

    def hand_back(self, lease_tokens: Collection[str]) -> None:
        """Let the leases that are still ours end now."""
        with self._lock:
            now = self._clock()
            for run in self._leased():
                if run.lease_token in lease_tokens:
                    run.lease_expires_at = now

    def adopt(self, event: str, limit: int, held: Collection[str] = ()) -> list[Adopted]:
        """Take the oldest `limit` runs whose dispatcher went away."""
        with self._lock:
            self._described(event)
            now = self._clock()
            orphans = [
                run
                for run in self._leased()
                if (run.lease_expires_at is None or run.lease_expires_at <= now) and run.lease_token not in held
            ]
            return [self._adopted(run, now) for run in orphans[: max(0, limit)]]

    def held_elsewhere(self, event: str, lease_tokens: Collection[str]) -> bool:
        """Whether a run goes on, or waits to be adopted, under another lease than these."""
        with self._lock:
            self._described(event)
            return any(run.lease_token not in lease_tokens for run in self._leased())

    def kept(self, work: Work) -> Launch | None:
        """Give the run's last launch, unless EC2 gave it no instance."""
        with self._lock:
            return self._owned(work).launch

    def intend(self, works: Sequence[Work], launch: Launch) -> None:
        """Keep a launch before it is asked for, with the runs it is for."""
        with self._lock:
            for run in [self._owned(work) for work in works]:
                run.launch, run.is_answered = launch, False

    def answered(self, client_token: str, instance_ids: Mapping[int, str]) -> dict[int, str]:
        """EC2 has answered: the launch's user data is forgotten. Gives the instances that runs hold, by submission."""
        held: dict[int, str] = {}
        with self._lock:
            for run in (run for submission in self._submissions.values() for run in submission.runs):
                launch, submission_id = run.launch, run.work.submission_id
                if launch is None or launch.request.client_token != client_token:
                    continue
                goes_on = run.ended_at is None
                if not run.is_answered:
                    instance_id = instance_ids.get(submission_id, "") if goes_on else ""
                    request = replace(launch.request, user_data="")
                    launch = replace(launch, request=request, instance_id=instance_id) if instance_id else None
                    run.launch, run.is_answered = launch, True
                if launch is not None and goes_on:
                    held[submission_id] = launch.instance_id
        return held

    def note_own_key(self, work: Work, instance_id: str, own_key: str) -> None:
        """Keep the key that the run's instance shows from now on."""
        with self._lock:
            run = self._owned(work)
            if run.launch is not None and run.launch.instance_id == instance_id:
                run.launch = replace(run.launch, own_key=own_key)

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
            now = self._clock()
            return [_row(one, next(places) if one.state is State.NEW else None, now) for one in self._in_order()]

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
        generation = last.work.generation + (last.stage in _RESULTS) if last else 1
        work = work_order(
            self._event,
            submission_id=submission.id,
            team=submission.team,
            submission=submission.name,
            run=(generation, len(submission.runs) + 1),
            expected=(kit.folds, tuple(one.name for one in kit.score_types)),
            lease_token=new_token(),
            on_demand=submission.hold is not None and submission.hold.on_demand,
        )
        submission.hold = None
        run = _Run(work, started_at=now, since=now, value=Claimed(work, now))
        run.lease_token, run.lease_expires_at = work.lease_token, now + self._lease
        submission.runs.append(run)
        submission.state = State.SENT_TO_TRAINING
        return Claimed(work, now)

    def _leased(self) -> list[_Run]:
        everything = (run for submission in self._submissions.values() for run in submission.runs)
        return [run for run in everything if run.lease_expires_at is not None]

    def _adopted(self, run: _Run, now: datetime) -> Adopted:
        run.lease_token, run.lease_expires_at = new_token(), now + self._lease
        assert run.value is not None  # noqa: S101 - a claim leaves one
        value = journal.loaded(journal.dumped(run.value), run.lease_token)
        assert value is not None  # noqa: S101 - it was dumped just now
        return Adopted(value, has_ended=run.ended_at is not None)

    def _run(self, work: Work) -> _Run:
        return self._submissions[work.submission_id].runs[work.attempt - 1]

    def _owned(self, work: Work) -> _Run:
        run = self._run(work)
        if run.ended_at is not None:
            raise RunOver(f"run {work.attempt} of submission {work.submission_id} has ended already")
        if run.lease_token != work.lease_token:
            raise LeaseLost(f"run {work.attempt} of submission {work.submission_id} was adopted by somebody else")
        return run

    def _enter(self, run: _Run, stage: str) -> None:
        now = self._clock()
        run.steps[run.stage] = run.steps.get(run.stage, 0.0) + (now - run.since).total_seconds()
        run.stage, run.since = stage, now

    def _end_failed(self, failed: Failed) -> None:
        run = self._end(failed.work, RunEnd.FAILED, failed.exit)
        run.blame, run.cause = failed.blame, failed.cause
        run.message = storable(failed.message)
        submission = self._submissions[failed.work.submission_id]
        submission.state, submission.error = state_of(failed), error_message(failed)

    def _end(self, work: Work, end: RunEnd, exit: JobExit | None = None) -> _Run:
        run = self._run(work)
        if run.stage == RunEnd.REQUEUED.value and end is not RunEnd.REQUEUED:
            self._enter(run, RunEnd.SUPERSEDED.value)
            run.exit = exit
        self._owned(work)
        self._enter(run, end.value)
        run.ended_at, run.exit = run.since, exit
        return run


def _same(known: KitDescription, kit: KitDescription) -> bool:
    names = [one.name for one in known.score_types]
    return known.folds == kit.folds and names == [one.name for one in kit.score_types]


def _row(submission: _Submission, place: int | None, now: datetime) -> SubmissionRow:
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
        image_id=run.image_id,
        started_at=run.started_at,
        ended_at=run.ended_at,
        blame=run.blame,
        cause=run.cause,
        reason=run.message,
        peak_memory_bytes=run.exit.peak_memory_bytes if run.exit else None,
        cpu_time_s=run.exit.cpu_time_s if run.exit else None,
        containment=run.exit.containment if run.exit else None,
        steps=dict(run.steps),
        orphaned=run.ended_at is None and run.lease_expires_at is not None and run.lease_expires_at <= now,
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
        image_id=scored.pulled.finished.launched.pushed.provisioned.image_id,
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
