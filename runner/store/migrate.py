"""Bring a database up to what this version of Rampart needs."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, text

from runner.store import tables
from runner.store.database import Database
from runner.store.schema import Schema, schema_of

_MIGRATIONS = Path(__file__).parent / "migrations"
_ONE_IN_THIS_PROCESS = threading.Lock()  # Alembic keeps what it migrates in globals
_LOCK = 7_265_701  # any number of our own: two dispatchers that start together migrate one after the other


def upgrade(database: Database, revision: str = "head") -> None:
    """Make or migrate our own tables; on SQLite, the embedded database, make RAMP's tables too where they lack.

    RAMP's tables are never altered, and on PostgreSQL never made. Done again it changes nothing and waits for no lock.
    """
    if database.url.get_backend_name() == "sqlite":
        _make_room(database)
    if schema_of(database) is Schema.CURRENT:
        return
    with database.writing() as connection:
        if connection.dialect.name == "sqlite":
            tables.metadata.create_all(connection)
        migrate(connection, revision)


def migrate(connection: Connection, revision: str = "head") -> None:
    """Make or migrate our own tables within a writing transaction of the caller's."""
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    with _ONE_IN_THIS_PROCESS:
        command.upgrade(config, revision)


def _make_room(database: Database) -> None:
    """Make the file's folder; set the journal that lets readers read while somebody writes, which stays in the file."""
    name = database.url.database
    if not name or name == ":memory:":
        return
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(name, timeout=30)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
