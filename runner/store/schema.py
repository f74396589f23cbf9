"""Tell whether a database has the tables this version needs, and change nothing."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from runner.store.database import Database

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
        found = inspect(connection).get_table_names()
        if "submissions" not in found:
            return Schema.WITHOUT_RAMP
        versions = connection.scalars(text(f"SELECT version_num FROM {_VERSIONS}")).all() if _VERSIONS in found else []  # noqa: S608 - a constant of ours
    scripts = ScriptDirectory(str(_MIGRATIONS))
    if list(versions) == scripts.get_heads():
        return Schema.CURRENT
    known = {script.revision for script in scripts.walk_revisions()}
    return Schema.BEHIND if set(versions) <= known else Schema.UNKNOWN
