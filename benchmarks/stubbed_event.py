"""Hold an event with a full queue, the stub its hosts are, and the dispatchers that serve it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select

from benchmarks.stub_dispatcher import event_at
from contracts.event import EventConfig
from runner.app import now
from runner.store import Catalogue, Database, own_tables
from tests.contract import store_fixtures

_PATIENCE_S = 300.0
_LOOK_S = 0.05
_TEAM = "blue"


@dataclass
class StubbedEvent:
    """An event in a folder, with its stub and its dispatchers."""

    folder: Path
    stub: subprocess.Popen[str]
    port: int
    url: str
    database: Database
    dispatchers: list[subprocess.Popen[str]] = field(default_factory=list)

    def dispatcher(self, n_workers: int) -> subprocess.Popen[str]:
        """Start one; it serves when this returns."""
        told = [str(self.folder), str(self.port), self.url, str(n_workers)]
        command = [sys.executable, "-m", "benchmarks.stub_dispatcher", *told]
        started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.dispatchers.append(started)
        assert started.stdout is not None  # noqa: S101 - it was asked for
        if not started.stdout.readline():
            raise RuntimeError("the dispatcher did not start")
        return started

    def tell_stub(self, order: str) -> str:
        """Give the stub an order; gives its answer."""
        assert self.stub.stdin is not None  # noqa: S101 - it was asked for
        assert self.stub.stdout is not None  # noqa: S101 - it was asked for
        self.stub.stdin.write(order + "\n")
        self.stub.stdin.flush()
        return self.stub.stdout.readline().strip()

    def runs(self, stage: str, *, of: int | None = None) -> int:
        """How many runs are in a stage, of one dispatcher's process or of all."""
        runs = own_tables.runs
        query = select(func.count()).where(runs.c.stage == stage)
        if of is not None:
            query = query.where(runs.c.lease_owner.contains(f":{of}:"))
        with self.database.reading() as connection:
            return int(connection.execute(query).scalar_one())

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something to become true."""
        deadline = time.monotonic() + _PATIENCE_S
        while not is_so():
            if time.monotonic() > deadline:
                raise RuntimeError("what was to be measured did not happen")
            time.sleep(_LOOK_S)


@contextmanager
def stubbed_event(submissions: int, url: str = "") -> Iterator[StubbedEvent]:
    """An event with so many submissions waiting, in an empty database or in SQLite; its processes end with it."""
    with tempfile.TemporaryDirectory(prefix="rampart-bench-") as name:
        folder = Path(name)
        url = url or f"sqlite:///{folder}/event.db"
        store_fixtures.make_tables(url)
        database = Database(url)
        _fill(Catalogue(database, now), event_at(folder, url, 1), folder, submissions)
        command = [sys.executable, "-m", "benchmarks.stub_host", name]
        with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stub:
            assert stub.stdout is not None  # noqa: S101 - it was asked for
            made = StubbedEvent(folder, stub, int(stub.stdout.readline()), url, database)
            try:
                yield made
            finally:
                for one in [*made.dispatchers, stub]:
                    one.kill()
                for one in made.dispatchers:
                    with suppress(subprocess.TimeoutExpired):
                        one.communicate(timeout=10)
                database.close()


def _fill(catalogue: Catalogue, event: EventConfig, folder: Path, submissions: int) -> None:
    code = folder / "code"
    code.mkdir()
    (code / "estimator.py").write_text("answer = 42\n")
    catalogue.add_event(event, store_fixtures.KIT)
    catalogue.add_team(event.name, _TEAM)
    for number in range(submissions):
        catalogue.add_submission(event, _TEAM, f"s{number}", code)
