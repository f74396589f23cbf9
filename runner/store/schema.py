"""Tell whether a database has the tables this version needs, and change nothing."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from runner.store.database import Database
from runner.store.migrations import NEWEST

_MIGRATIONS = Path(__file__).parent / "migrations"
_VERSIONS = "rampart_schema"


class Schema(StrEnum):
    """What a database holds of the tables."""

    NOT_MADE = "not made"  # the embedded database, before anything was put into it
    WITHOUT_RAMP = "without RAMP"
    BEHIND = "behind"
    UNKNOWN = "unknown"  # a newer Rampart has been there
    CURRENT = "current"


def schema_of(database: Database) -> Schema:
    """Look at the tables. Raises StoreUnavailable."""
    if database.url.get_backend_name() == "sqlite" and not Path(database.url.database or "").is_file():
        return Schema.NOT_MADE
    with database.reading() as connection:
        if not inspect(connection).has_table("submissions"):
            return Schema.WITHOUT_RAMP
        found = _versions(connection)
    if found == [NEWEST]:
        return Schema.CURRENT
    from alembic.script import ScriptDirectory

    known = {script.revision for script in ScriptDirectory(str(_MIGRATIONS)).walk_revisions()}
    return Schema.BEHIND if set(found) <= known else Schema.UNKNOWN


def _versions(connection: Connection) -> list[str]:
    """The revisions that our own tables are at: none where they lack."""
    if not inspect(connection).has_table(_VERSIONS):
        return []
    return list(connection.scalars(text(f"SELECT version_num FROM {_VERSIONS}")))  # noqa: S608 - a constant of ours
