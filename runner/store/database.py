"""Open a database for short transactions, with its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DataError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from contracts.errors import AskedWrongly, StoreRefuses, StoreUnavailable

_BUSY_TIMEOUT_MS = 30_000
_REFUSALS = (DataError, NotSupportedError, ProgrammingError)
_WRITES = "rampart_writes"  # the execution option that tells a writing connection from a reading one


class Database:
    """One database, by its SQLAlchemy URL. Nothing is connected to until the first transaction.

    It may be used from several threads.
    """

    def __init__(self, url: str) -> None:
        self._url = _with_driver(_parsed(url))
        self._reader = _engine(self._url)
        self._writer = self._reader.execution_options(**{_WRITES: True})

    def __str__(self) -> str:
        return self._url.render_as_string(hide_password=True)

    @property
    def url(self) -> URL:
        """The URL with the driver that is used."""
        return self._url

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that only reads. Raises StoreUnavailable."""
        with self._translated(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that writes; an exception rolls it back.

        SQLite takes its one write lock at the start, so that what was read before a write stays true.
        Raises StoreUnavailable; sqlalchemy's IntegrityError goes through, for the caller knows what it means.
        """
        with self._translated(), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Give back every connection."""
        self._reader.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeout) as error:
            reason = str(error.orig if isinstance(error, DBAPIError) else error).strip() or type(error).__name__
            kind = StoreRefuses if isinstance(error, _REFUSALS) else StoreUnavailable
            raise kind(f"the database {self} fails: {reason.splitlines()[0]}", hint=_hint(reason)) from error


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as error:
        hint = "e.g. sqlite:///folder/file.db or postgresql://user:password@host/name"
        raise AskedWrongly("the database's URL cannot be read", hint=hint) from error


def _with_driver(url: URL) -> URL:
    """RAMP's configurations say `postgresql`, or name psycopg2, whichever is installed here."""
    if url.get_backend_name() not in ("postgresql", "postgres"):
        return url
    driver = next((name for name in ("psycopg", "psycopg2") if find_spec(name)), "psycopg")
    return url.set(drivername=f"postgresql+{driver}")


def _engine(url: URL) -> Engine:
    options: dict[str, Any] = {"pool_pre_ping": True}
    if url.get_backend_name() == "postgresql":
        options["connect_args"] = {"connect_timeout": 10}
    try:
        engine = create_engine(url, **options)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise AskedWrongly(f"a database of kind '{url.drivername}' cannot be used here: {error}") from error
    if url.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_on_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin by itself, and too late
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_on_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _hint(reason: str) -> str:
    if "no such table" in reason or "does not exist" in reason:
        return "RAMP's tables are not there; for a PostgreSQL database ramp-database makes them"
    if "unable to open database file" in reason:
        return "its folder is missing or not ours to write; add a team or a submission to make it"
    return "is the server up, and is database_url (or the section sqlalchemy) right?"
