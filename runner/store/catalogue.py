"""Put events, teams and submissions into a database, and list what is there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from contracts.errors import KitInvalid, StoreUnavailable, SubmissionInvalid, UnknownName
from contracts.event import EventConfig
from contracts.work import StageValue
from runner.kit import KitDescription, ScoreType
from runner.store import counts, journal, reports, tables
from runner.store.database import Database
from runner.store.own_tables import launch_runs, launches, runs
from runner.store.rows import EventCounts, EventReport, FailureRow, Leaderboard, SubmissionRow, Window
from runner.store.submission_folder import check_name, staged
from runner.store.times import aware, naive_utc


class Catalogue:
    """What commands ask of the database, apart from running submissions. Every method may raise StoreUnavailable.

    On a database made by RAMP the adding is RAMP's own: there it is refused, and said so.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def has_event(self, event: str) -> bool:
        """Whether the database knows the event."""
        with self._database.reading() as connection:
            return connection.scalar(select(tables.events.c.id).where(tables.events.c.name == event)) is not None

    def add_event(self, event: EventConfig, kit: KitDescription) -> None:
        """Add an event with its folds and score types; the same event again changes nothing.

        Raises KitInvalid when the event is there with other score types or folds.
        """
        with self._database.writing() as connection:
            found = connection.scalar(select(tables.events.c.id).where(tables.events.c.name == event.name))
            if found is not None:
                _check_same(connection, event.name, found, kit)
                return
            try:
                _insert_event(connection, event, kit)
            except IntegrityError as error:
                raise _belongs_to_ramp(self._database) from error

    def add_team(self, event: str, team: str) -> None:
        """Add a team and sign it up for the event; the same team again changes nothing. Raises UnknownName."""
        check_name(team, "team")
        with self._database.writing() as connection:
            event_id = _event_id(connection, event)
            try:
                team_id = connection.scalar(select(tables.teams.c.id).where(tables.teams.c.name == team))
                if team_id is None:
                    team_id = _inserted(connection, tables.teams, name=team)
                ours = tables.event_teams
                signed_up = select(ours.c.id).where(ours.c.event_id == event_id, ours.c.team_id == team_id)
                if connection.scalar(signed_up) is None:
                    _inserted(connection, ours, event_id=event_id, team_id=team_id, is_active=True, approved=True)
            except IntegrityError as error:
                raise _belongs_to_ramp(self._database) from error

    def add_submission(self, event: EventConfig, team: str, name: str, source: Path) -> int:
        """Copy a team's folder of code and put it into the queue; gives the submission's id.

        Raises SubmissionInvalid (name, folder, or there already) and UnknownName (event, team).
        """
        check_name(name, "submission")
        submissions_dir = event.ramp.submissions_dir
        with staged(source, submissions_dir) as folder, self._database.writing() as connection:
            if made_by_ramp(connection):  # its frontend needs rows of files too, which RAMP alone can fill in
                raise _belongs_to_ramp(self._database)
            signed_up = _event_team(connection, event.name, team)
            _check_not_sandbox(connection, event.name, name)
            try:
                submission_id = self._insert_submission(connection, signed_up, name)
            except IntegrityError as error:
                hint = "submit it under another name"
                raise SubmissionInvalid(f"team {team} has a submission '{name}' already", hint=hint) from error
            _insert_score_rows(connection, event.name, submission_id)
            folder.rename(submissions_dir / f"submission_{submission_id:09d}")
        return submission_id

    def submissions(self, event: str) -> list[SubmissionRow]:
        """List the event's submissions, oldest first. Raises UnknownName."""
        with self._database.reading() as connection:
            _event_id(connection, event)
            return reports.submissions_in(connection, event)

    def report(self, event: str) -> EventReport:
        """Give the event's submissions with what tells how long its queue will take. Raises UnknownName."""
        with self._database.reading() as connection:
            _event_id(connection, event)
            return reports.report_in(connection, event)

    def counts(self, event: str) -> EventCounts:
        """Count what waits, runs or is left behind. Raises UnknownName."""
        with self._database.reading() as connection:
            _event_id(connection, event)
            return counts.counts_in(connection, event)

    def window(self, event: str) -> Window | None:
        """Tell when the event takes submissions; None where the database does not know it yet."""
        query = select(tables.events.c.opening_timestamp, tables.events.c.closing_timestamp)
        with self._database.reading() as connection:
            row = connection.execute(query.where(tables.events.c.name == event)).one_or_none()
        if row is None:
            return None
        return Window(*(aware(moment) if moment else None for moment in row))

    def last_value(self, submission_id: int) -> StageValue | None:
        """Give what the submission's latest run left in its journal; None where there is nothing that can be read."""
        with self._database.reading() as connection:
            latest = select(runs.c.journal).where(runs.c.submission_id == submission_id).order_by(runs.c.attempt.desc())
            return journal.loaded(connection.scalar(latest.limit(1)), "")

    def host_key(self, instance_id: str) -> str:
        """Give the public host key that an instance made for itself, else the one it was launched with.

        Empty where no launch of ours is known.
        """
        of_it = launch_runs.c.instance_id == instance_id
        key = func.coalesce(func.nullif(launch_runs.c.own_key, ""), launches.c.host_key)
        query = select(key).join(launch_runs, launch_runs.c.launch_id == launches.c.id).where(of_it)
        with self._database.reading() as connection:
            return connection.scalar(query.order_by(launches.c.id.desc()).limit(1)) or ""

    def leaderboard(self, event: str, *, step: str = "valid") -> Leaderboard:
        """Rank the scored submissions by the official score on `valid` (what RAMP shows teams) or `test` data.

        Raises UnknownName.
        """
        with self._database.reading() as connection:
            _event_id(connection, event)
            return reports.leaderboard_in(connection, event, step=step)

    def failures(self, event: str) -> list[FailureRow]:
        """List the submissions that ended without scores, oldest first. Raises UnknownName."""
        with self._database.reading() as connection:
            _event_id(connection, event)
            return reports.failures_in(connection, event)

    def _insert_submission(self, connection: Connection, event_team_id: int, name: str) -> int:
        now = self._clock()
        timestamp = naive_utc(now)
        return _inserted(
            connection,
            tables.submissions,
            event_team_id=event_team_id,
            name=name,
            hash_=submission_hash(event_team_id, name),
            submission_timestamp=timestamp,
        )


def made_by_ramp(connection: Connection) -> bool:
    """Whether ramp-database made the tables: then teams belong to users, submissions have files."""
    return inspect(connection).has_table("users")


def submission_hash(event_team_id: int, name: str) -> str:
    """Give what RAMP's column `hash_` holds: unique among all submissions of the database."""
    return hashlib.sha256(f"{event_team_id}/{name}".encode()).hexdigest()


def _insert_event(connection: Connection, event: EventConfig, kit: KitDescription) -> None:
    ramp = event.ramp
    problem_id = connection.scalar(select(tables.problems.c.id).where(tables.problems.c.name == ramp.problem_name))
    if problem_id is None:
        paths = {"path_ramp_kit": str(ramp.kit_dir), "path_ramp_data": str(ramp.data_dir)}
        problem_id = _inserted(connection, tables.problems, name=ramp.problem_name, **paths)
    event_id = _inserted(
        connection,
        tables.events,
        name=event.name,
        title=ramp.event_title or kit.title or event.name,
        problem_id=problem_id,
        is_public=ramp.event_is_public,
        official_score_name=kit.score_types[0].name,
        ramp_sandbox_name=ramp.sandbox_dir,
        path_ramp_submissions=str(ramp.submissions_dir),
    )
    for one in kit.score_types:
        _insert_score_type(connection, event_id, one)
    for _ in range(kit.folds):
        _inserted(connection, tables.cv_folds, event_id=event_id)


def _insert_score_type(connection: Connection, event_id: int, one: ScoreType) -> None:
    direction = one.is_lower_the_better
    bounds = {"minimum": one.minimum, "maximum": one.maximum}
    score_type_id = _inserted(connection, tables.score_types, name=one.name, is_lower_the_better=direction, **bounds)
    values = {"name": one.name, "event_id": event_id, "score_type_id": score_type_id, "precision": one.precision}
    _inserted(connection, tables.event_score_types, **values)


def _insert_score_rows(connection: Connection, event: str, submission_id: int) -> None:
    """Make the rows RAMP's frontend makes with a submission: one per fold, score type, and pair of both."""
    event_id = _event_id(connection, event)
    folds = connection.scalars(
        select(tables.cv_folds.c.id).where(tables.cv_folds.c.event_id == event_id).order_by(tables.cv_folds.c.id)
    ).all()
    types = tables.event_score_types
    score_types = connection.scalars(select(types.c.id).where(types.c.event_id == event_id).order_by(types.c.id)).all()
    score_ids = [
        _inserted(
            connection,
            tables.submission_scores,
            submission_id=submission_id,
            event_score_type_id=one,
            valid_score_cv_bags=None,
            test_score_cv_bags=None,
        )
        for one in score_types
    ]
    for fold in folds:
        row = _inserted(connection, tables.submission_on_cv_folds, submission_id=submission_id, cv_fold_id=fold)
        for score in score_ids:
            cell = {"submission_on_cv_fold_id": row, "submission_score_id": score}
            _inserted(connection, tables.submission_score_on_cv_folds, **cell)


def _check_same(connection: Connection, event: str, event_id: int, kit: KitDescription) -> None:
    types, folds = tables.event_score_types, tables.cv_folds
    names = connection.scalars(select(types.c.name).where(types.c.event_id == event_id).order_by(types.c.id)).all()
    count = len(connection.scalars(select(folds.c.id).where(folds.c.event_id == event_id)).all())
    wanted = [one.name for one in kit.score_types]
    if list(names) != wanted or count != kit.folds:
        message = (
            f"event '{event}' has {count} folds and the score types {', '.join(names)}, "
            f"its kit has {kit.folds} and {', '.join(wanted)}"
        )
        raise KitInvalid(message, hint="scores of both would not compare: make a new event for the changed kit")


def _check_not_sandbox(connection: Connection, event: str, name: str) -> None:
    sandbox = connection.scalar(select(tables.events.c.ramp_sandbox_name).where(tables.events.c.name == event))
    if name == sandbox:
        hint = f"submit it under another name, or name another one ramp.sandbox_dir of event '{event}'"
        raise SubmissionInvalid(f"'{name}' is the sandbox's name, which is never run", hint=hint)


def _event_id(connection: Connection, event: str) -> int:
    found = connection.scalar(select(tables.events.c.id).where(tables.events.c.name == event))
    if found is None:
        known = ", ".join(connection.scalars(select(tables.events.c.name).order_by(tables.events.c.name))) or "none"
        raise UnknownName(f"the database has no event '{event}'", hint=f"it has: {known}")
    return int(found)


def _event_team(connection: Connection, event: str, team: str) -> int:
    ours = tables.event_teams
    query = (
        select(ours.c.id)
        .join(tables.teams, tables.teams.c.id == ours.c.team_id)
        .where(ours.c.event_id == _event_id(connection, event), tables.teams.c.name == team)
    )
    found = connection.scalar(query)
    if found is None:
        raise UnknownName(f"event '{event}' has no team '{team}'", hint="add the team first")
    return int(found)


def _inserted(connection: Connection, table: Any, **values: Any) -> int:
    key = connection.execute(insert(table).values(**values)).inserted_primary_key
    assert key is not None  # noqa: S101 - one row was inserted
    return int(key[0])


def _belongs_to_ramp(database: Database) -> StoreUnavailable:
    hint = "on a database made by RAMP add events, teams and submissions with RAMP's own tools"
    return StoreUnavailable(f"the database {database} refuses the new row", hint=hint)
