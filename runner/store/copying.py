"""Copy an event with its history from the embedded SQLite database into PostgreSQL."""

from __future__ import annotations

from typing import Any

import sqlalchemy
from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    Table,
    TableClause,
    delete,
    func,
    insert,
    or_,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError

from contracts.errors import AskedWrongly, StoreUnavailable, UnknownName
from runner.store import leases, own_tables, tables
from runner.store.catalogue import made_by_ramp, submission_hash
from runner.store.database import Database
from runner.store.messages import storable
from runner.store.migrate import migrate
from runner.store.numpy_type import NumpyType
from runner.store.own_tables import canaries, event_states, holds, images, runs
from runner.store.tables import (
    cv_folds,
    event_score_types,
    event_teams,
    events,
    problems,
    score_types,
    submission_on_cv_folds,
    submission_score_on_cv_folds,
    submission_scores,
    submissions,
    teams,
)

_Row = dict[str, Any]
_Ids = dict[str, dict[int, int]]  # by table: the id in the target of each id in the source


def copy_event(source: Database, target: Database, event: str) -> dict[str, int]:
    """Copy all rows of the event in one transaction; gives the number of rows by table. The source stays as it is.

    Ids are kept where the target is empty; in one that has other events all but the submissions' move up, which name
    folders. Raises AskedWrongly, UnknownName, StoreUnavailable; the target is then as it was.
    """
    _check_kinds(source, target)
    with source.writing() as origin, target.writing() as destination:  # nobody writes to the source meanwhile
        for connection, database in ((origin, source), (destination, target)):
            _check_made_by_us(connection, database)
        _check_source(origin, event)
        tables.metadata.create_all(destination)
        migrate(destination)
        _lock(destination)
        _check_room(origin, destination, event)
        try:
            counts = _copied(origin, destination, event)
        except IntegrityError as error:
            hint = "the source is older than this version, or was changed by hand"
            raise StoreUnavailable(f"{target} refuses a row of {event}: {error.orig}", hint=hint) from error
        _continue_sequences(destination)
    return counts


def _check_kinds(source: Database, target: Database) -> None:
    if source.url.get_backend_name() != "sqlite":
        raise AskedWrongly(f"the event's database is {source} already", hint="PostgreSQL is copied with pg_dump")
    if target.url.get_backend_name() != "postgresql":
        raise AskedWrongly(f"{target} is not PostgreSQL", hint="--to postgresql://USER@HOST/DATABASE")


def _check_source(origin: Connection, event: str) -> None:
    if origin.scalar(select(events.c.id).where(events.c.name == event)) is None:
        raise UnknownName(f"the database has no event '{event}'", hint="there is nothing to copy yet")
    if leases.held_elsewhere(origin, event, ()):
        hint = "stop train-loop, or let a new one take up what is left: invoke train-loop --hunger-policy exit"
        raise AskedWrongly(f"runs of {event} go on, or wait to be taken up", hint=hint)


def _check_made_by_us(connection: Connection, database: Database) -> None:
    if made_by_ramp(connection):
        hint = "name an empty database (createdb NAME); to RAMP's, add event and teams with RAMP's own tools"
        raise AskedWrongly(f"{database} was made by RAMP, where teams belong to users", hint=hint)


def _lock(destination: Connection) -> None:
    """Nobody adds a row meanwhile: ids count on from the highest one."""
    names = ", ".join(table.name for table in _tables())
    destination.execute(text(f"LOCK TABLE {names} IN SHARE ROW EXCLUSIVE MODE"))


def _check_room(origin: Connection, destination: Connection, event: str) -> None:
    hint = "name another database, an empty one (createdb NAME)"
    if destination.scalar(select(events.c.id).where(events.c.name == event)) is not None:
        raise AskedWrongly(f"there is an event '{event}' already", hint=hint)
    known = (select(column) for column in (submissions.c.id, runs.c.submission_id, holds.c.submission_id))
    taken = {one for query in known for one in destination.scalars(query)}
    if not taken.isdisjoint(origin.scalars(select(submissions.c.id).where(_members(event)[submissions]))):
        raise AskedWrongly(f"ids of {event}'s submissions, which name their folders, are taken there", hint=hint)


def _copied(origin: Connection, destination: Connection, event: str) -> dict[str, int]:
    members = _members(event)
    for table in (event_states, images, canaries):  # of an event that was deleted there
        destination.execute(delete(table).where(members[table]))
    ids: _Ids = {}
    counts = {}
    for table in _tables():
        rows = [dict(row) for row in origin.execute(select(table).where(members[table])).mappings()]
        counts[table.name] = len(rows)
        _refer(table, rows, ids)
        new = _number(destination, table, rows, ids)
        if new:
            destination.execute(insert(_as_written(table)), new)
    return counts


def _tables() -> list[Table]:
    """List all tables so that what is referred to comes first."""
    return [*tables.metadata.sorted_tables, *own_tables.metadata.sorted_tables]


def _members(event: str) -> dict[Table, ColumnElement[bool]]:
    """Say of each table which of its rows are the event's."""
    event_id = select(events.c.id).where(events.c.name == event)
    signed_up = event_teams.c.event_id.in_(event_id)
    scored_by = event_score_types.c.event_id.in_(event_id)
    submitted = submissions.c.event_team_id.in_(select(event_teams.c.id).where(signed_up))
    submission_id = select(submissions.c.id).where(submitted)
    on_folds = submission_on_cv_folds.c.submission_id.in_(submission_id)
    fold_id = select(submission_on_cv_folds.c.id).where(on_folds)
    ran = runs.c.submission_id.in_(submission_id)
    members = {
        problems: problems.c.id.in_(select(events.c.problem_id).where(events.c.name == event)),
        events: events.c.name == event,
        teams: teams.c.id.in_(select(event_teams.c.team_id).where(signed_up)),
        event_teams: signed_up,
        score_types: score_types.c.id.in_(select(event_score_types.c.score_type_id).where(scored_by)),
        event_score_types: scored_by,
        cv_folds: cv_folds.c.event_id.in_(event_id),
        submissions: submitted,
        submission_on_cv_folds: on_folds,
        submission_scores: submission_scores.c.submission_id.in_(submission_id),
        submission_score_on_cv_folds: submission_score_on_cv_folds.c.submission_on_cv_fold_id.in_(fold_id),
        runs: ran,
        holds: holds.c.submission_id.in_(submission_id),
        event_states: event_states.c.event == event,
        images: images.c.event == event,
        canaries: canaries.c.event == event,
    }
    run_id = select(runs.c.id).where(ran)
    return members | {table: _of_runs(table, run_id) for table in _tables() if table not in members}


def _of_runs(table: Table, run_id: Select[int]) -> ColumnElement[bool]:
    """Say which rows of a table of runs' history refer to the runs, or are referred to by such a row."""
    if "run_id" in table.c:
        return table.c.run_id.in_(run_id)
    links = [column for other in _tables() for column in other.c if column.references(table.c.id)]
    return or_(*(table.c.id.in_(select(link).where(link.table.c.run_id.in_(run_id))) for link in links))


def _refer(table: Table, rows: list[_Row], ids: _Ids) -> None:
    """Let the rows refer to the ids that other rows got."""
    links = [(column.name, key.column.table.name) for column in table.c for key in column.foreign_keys]
    for row in rows:
        for name, referred in links:
            row[name] = ids[referred][row[name]]


def _number(destination: Connection, table: Table, rows: list[_Row], ids: _Ids) -> list[_Row]:
    """Give the rows their ids, and those of them that are not there yet; text as PostgreSQL can hold it."""
    if "id" not in table.c:
        return [_storable(row) for row in rows]
    there = _by_name(destination, table) if table in (problems, teams) else {}
    first = 0 if table is submissions else destination.scalar(select(func.coalesce(func.max(table.c.id), 0))) or 0
    numbers = {row["id"]: there.get(row.get("name", ""), first + row["id"]) for row in rows}
    ids[table.name] = numbers
    new = [row for row in rows if row.get("name", "") not in there]
    if table is submissions:
        new = [row | {"hash_": submission_hash(row["event_team_id"], row["name"])} for row in new]
    return [_storable(row | {"id": numbers[row["id"]]}) for row in new]


def _by_name(destination: Connection, table: Table) -> dict[str, int]:
    return {row.name: row.id for row in destination.execute(select(table.c.name, table.c.id))}


def _storable(row: _Row) -> _Row:
    return {name: storable(value) if isinstance(value, str) else value for name, value in row.items()}


def _as_written(table: Table) -> TableClause:
    """Declare the table without defaults, and with arrays as the bytes they were read as."""
    binary = LargeBinary()
    columns = ((one.name, binary if isinstance(one.type, NumpyType) else one.type) for one in table.c)
    return sqlalchemy.table(table.name, *(sqlalchemy.column(name, kind) for name, kind in columns))


def _continue_sequences(destination: Connection) -> None:
    """Let the next id follow the highest one."""
    for table in _tables():
        if "id" in table.c:
            name = table.name
            destination.execute(
                text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), max(id)) FROM {name}")  # noqa: S608 - ours
            )
