"""Open every kind of store for its contract test: in memory, on SQLite, on a PostgreSQL server of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import pytest
import sqlalchemy

from contracts.event import EventConfig, Ramp, Worker
from contracts.infra import FolderKit, Image, Infra
from contracts.work import (
    BaggedScores,
    Blame,
    Cause,
    Claimed,
    Containment,
    Failed,
    Finished,
    FoldScores,
    HostAddress,
    HostLayout,
    JobEnd,
    JobExit,
    Launched,
    Provisioned,
    Pulled,
    Pushed,
    Scored,
)
from runner.kit import KitDescription, ScoreType
from runner.store import Catalogue, Database, FailureRow, Leaderboard, MemoryStore, SqlStore, SubmissionRow, upgrade
from runner.store.tables import metadata

KIT = KitDescription("Iris", (ScoreType("acc", False, 0, 1, 3), ScoreType("nll", True, 0, float("inf"), 2)), folds=2)
LAYOUT = HostLayout("/kit", "/kit", "/python", "/ramp-test")
_SERVER_PROGRAMS = ("initdb", "pg_ctl")

OpenDatabase = Callable[[str], str]
"""Makes a database of a kind (sqlite, postgresql) with its tables; gives its URL."""


class Clock:
    """A clock that goes on by a second each time it is asked."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


class Books(Protocol):
    """What the commands ask of a database, whichever keeps it."""

    def has_event(self, event: str) -> bool: ...

    def add_event(self, event: EventConfig, kit: KitDescription) -> None: ...
    def add_team(self, event: str, team: str) -> None: ...
    def add_submission(self, event: EventConfig, team: str, name: str, source: Path) -> int: ...
    def submissions(self, event: str) -> list[SubmissionRow]: ...
    def leaderboard(self, event: str, *, step: str = "valid") -> Leaderboard: ...
    def failures(self, event: str) -> list[FailureRow]: ...


@dataclass
class Bench:
    """One store with what looks at it from the side. `database` is None for the one in memory."""

    event: EventConfig
    store: MemoryStore | SqlStore
    books: Books
    code: Path
    clock: Clock
    database: Database | None = None
    names: dict[int, str] = field(default_factory=dict)

    def submit(self, name: str, team: str = "red") -> int:
        """Put a submission into the queue."""
        self.books.add_team("iris", team)
        return self.books.add_submission(self.event, team, name, self.code)

    def claim(self) -> Claimed:
        """Take the oldest one, which must be there."""
        (claimed,) = self.store.claim("iris", 1)
        return claimed

    def row(self, submission_id: int) -> SubmissionRow:
        """What is shown of a submission."""
        return next(row for row in self.books.submissions("iris") if row.submission_id == submission_id)

    def score(self, claimed: Claimed, *, acc: float) -> None:
        """Let a run end with scores."""
        self.store.record_scored(scored(claimed, acc=acc))


def launched(claimed: Claimed) -> Launched:
    """A run that has a host, whose job was started a minute after it was claimed."""
    provisioned = Provisioned(claimed, HostAddress("i-1", "127.9.9.9", "ubuntu"), LAYOUT, "ami-1")
    return Launched(Pushed(provisioned, "/job"), claimed.claimed_at + timedelta(minutes=1))


def scored(claimed: Claimed, *, acc: float) -> Scored:
    """A run that ended with scores; its second fold is a little better than the first."""
    exit = JobExit(JobEnd.EXITED, 0, 10.0, 8.0, 64 * 2**20, 100, containment=Containment.NAMESPACES)
    pulled = Pulled(Finished(launched(claimed), exit), Path("/log"), Path("/training_output"))
    folds = tuple(
        FoldScores(
            number,
            1.0 + 2 * number,
            0.1,
            0.2,
            {step: {"acc": acc + 0.01 * number, "nll": 0.5} for step in ("train", "valid", "test")},
        )
        for number in range(2)
    )
    bagged = BaggedScores(
        {"valid": {"acc": [0.1, acc], "nll": [0.6, 0.5]}, "test": {"acc": [0.2, 1 - acc], "nll": [0.7, 0.4]}}
    )
    return Scored(pulled, folds, bagged)


def failed(claimed: Claimed, blame: Blame = Blame.PARTICIPANT) -> Failed:
    """A run whose submission raised, with a NUL in its message."""
    exit = JobExit(JobEnd.EXITED, 1, 10.0, 8.0, 64 * 2**20, 100)
    traceback = "Traceback (most recent call last):\nValueError: \0no"
    return Failed(claimed.work, blame, Cause.RAISED, "the submission raised ValueError: \0no", traceback, exit)


def event_in(folder: Path, url: str) -> EventConfig:
    """An event whose files are all below a folder."""
    return EventConfig(
        path=folder / "config.yml",
        deployment=folder,
        state_root=folder / ".rampart",
        ramp=Ramp(
            problem_name="iris",
            event_name="iris",
            kit_dir=folder,
            data_dir=folder,
            submissions_dir=folder / "submissions",
            predictions_dir=folder / "predictions",
            logs_dir=folder / "logs",
        ),
        worker=Worker(worker_type="conda", timeout=60, memory_limit_mib=500),
        infra=Infra(image=Image(kit=FolderKit(folder=folder))),
        database_url=url,
    )


@contextmanager
def memory_bench(folder: Path) -> Iterator[Bench]:
    """The store in memory, which is its own catalogue."""
    event, clock = event_in(folder, "sqlite://"), Clock()
    store = MemoryStore(event, clock)
    yield _filled(Bench(event, store, store, _code(folder), clock))


@contextmanager
def sql_bench(folder: Path, url: str, *, lease_s: float = 30) -> Iterator[Bench]:
    """The store on a database that has its tables."""
    event, clock = event_in(folder, url), Clock()
    store = SqlStore(url, event, clock, owner="bench", lease_s=lease_s)
    try:
        yield _filled(Bench(event, store, Catalogue(store.database, clock), _code(folder), clock, store.database))
    finally:
        store.close()


def _filled(bench: Bench) -> Bench:
    bench.books.add_event(bench.event, KIT)
    return bench


def _code(folder: Path) -> Path:
    code = folder / "code"
    code.mkdir()
    (code / "estimator.py").write_text("answer = 42\n")
    return code


def postgresql_programs() -> Path | None:
    """The folder of PostgreSQL's server programs, on PATH or where Debian puts them; None where they are missing."""
    on_path = shutil.which(_SERVER_PROGRAMS[0])
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    folders = [*([Path(on_path).resolve().parent] if on_path else []), *debian]
    return next((one for one in folders if all((one / name).exists() for name in _SERVER_PROGRAMS)), None)


NEEDS_POSTGRESQL = pytest.mark.skipif(
    postgresql_programs() is None, reason="PostgreSQL's server programs (initdb, pg_ctl) are not installed"
)


@contextmanager
def postgresql_server(programs: Path) -> Iterator[sqlalchemy.URL]:
    """Start a server that only a socket in a folder of its own leads to; as somebody else where we are root."""
    user = "nobody" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="rampart-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if user is not None:
            shutil.chown(folder, user)
        data = str(folder / "data")
        options = f"-k {folder} -c listen_addresses= -c fsync=off -c max_connections=30"
        _run(user, folder, programs / "initdb", "-D", data, "-U", "rampart", "-A", "trust", "-E", "UTF8", "--no-sync")
        _run(user, folder, programs / "pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield sqlalchemy.URL.create(
                "postgresql", username="rampart", database="postgres", query={"host": str(folder)}
            )
        finally:
            _run(user, folder, programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


def new_postgresql_database(server: sqlalchemy.URL, name: str, *, template: str = "template1") -> str:
    """Make a database as a copy of another; give its URL as RAMP's configurations have it, without a driver."""
    engine = sqlalchemy.create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    engine.dispose()
    return server.set(database=name).render_as_string(hide_password=False)


def make_tables(url: str) -> None:
    """Make RAMP's tables on PostgreSQL, which `upgrade` leaves to RAMP, and ours."""
    database = Database(url)
    with database.writing() as connection:
        metadata.create_all(connection)
    upgrade(database)
    database.close()


def _run(user: str | None, cwd: Path, *argv: str | Path) -> None:
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    done = subprocess.run(
        argv, user=user, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{argv[0]}: {done.stdout}{done.stderr}"
