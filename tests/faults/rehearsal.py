"""Rehearse an event: its queue, its dispatchers, its hosts, what is true of them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import make_url, text

from contracts.event import EventConfig
from contracts.event_file import load_event
from runner import app
from runner.store import Catalogue, Database, upgrade
from tests import filled_database
from tests.faults import dispatchers, jobs
from tests.faults.dispatchers import DispatcherProcess
from tests.faults.hosts import StackHosts
from tests.faults.jobs import STAND_IN, Job
from tests.faults.serving import Order
from tests.faults.troubles import Trouble

_PATIENCE_S = 60.0
_LOOK_S = 0.02
_OPEN_RUNS = "SELECT submission_id, attempt, stage, host_id, lease_owner FROM rampart_runs WHERE ended_at IS NULL"


@dataclass
class Rehearsal:
    """One event in a folder of its own; `hosts` are its instances, None where it runs on this machine."""

    folder: Path
    event: EventConfig
    hosts: StackHosts | None = None
    job: Job = STAND_IN
    dispatchers: list[DispatcherProcess] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    """What the dispatchers have in theirs."""
    is_abandoned: bool = False
    """No dispatcher comes back for what is unfinished."""

    def __post_init__(self) -> None:
        self.database = Database(self.event.database_url.get_secret_value())
        upgrade(self.database)
        self.catalogue = Catalogue(self.database, app.now)  # one that is closed with it
        self.catalogue.add_event(self.event, self.job.kit)
        self.catalogue.add_team(self.event.name, "blue")

    def submit(self, *names: str, code: str = "") -> list[int]:
        """Put submissions into the queue, of the job's trivial code unless told otherwise; gives their ids."""
        return [self._submit(name, code or self.job.trivial) for name in names]

    def dispatcher(self, trouble: Trouble | None = None, **clocks: Any) -> DispatcherProcess:
        """Start a dispatcher, to which `trouble` happens; `clocks` are fields of an Order."""
        hosts = self.hosts
        order = Order(
            self.event.path,
            self.folder / f"dispatcher-{len(self.dispatchers) + 1}.log",
            environment={**self.environment, **(hosts.environment if hosts else {})},
            outputs=hosts.outputs if hosts else None,
            image_id=hosts.image_id if hosts else "",
            trouble=trouble,
            **clocks,
        )
        started = dispatchers.start(order)
        self.dispatchers.append(started)
        return started

    def rows(self, query: str, **values: object) -> list[tuple[Any, ...]]:
        """What a query gives now."""
        with self.database.reading() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def until(self, what: str, is_so: Callable[[], object]) -> None:
        """Wait for something to become true."""
        deadline = time.monotonic() + _PATIENCE_S
        while not is_so():
            if time.monotonic() > deadline:
                raise AssertionError(f"never happened: {what}\n{self.rows(_OPEN_RUNS)}\n{self.said}")
            time.sleep(_LOOK_S)

    def until_training(self, count: int = 1, *, attempt: int = 0) -> None:
        """Wait until so many runs are known to train; `attempt` 0 means whichever."""
        query = "SELECT 1 FROM rampart_runs WHERE stage = 'wait' AND :attempt IN (attempt, 0)"
        self.until(f"{count} runs train", lambda: len(self.rows(query, attempt=attempt)) >= count)

    @property
    def said(self) -> str:
        """What all dispatchers have said, one after the other."""
        return "\n".join(f"--- {one.log.name}\n{one.said}" for one in self.dispatchers)

    def states(self) -> dict[str, str]:
        """Each submission's state in RAMP's table."""
        query = "SELECT name, state FROM submissions WHERE name <> :sandbox"
        return dict(self.rows(query, sandbox=self.event.ramp.sandbox_dir))

    def runs(self) -> list[tuple[Any, ...]]:
        """Every run there ever was, as (attempt, how it ended)."""
        return self.rows("SELECT attempt, stage FROM rampart_runs ORDER BY submission_id, attempt")

    def let_go_on(self) -> None:
        """Let the submissions that wait on the hosts there are now end."""
        if self.hosts is None:
            (self.event.ramp.kit_dir / "go").touch()
        else:
            self.hosts.let_go_on()

    def await_end(self, *alive: DispatcherProcess) -> None:
        """Let go on whatever waits, on whichever host, until these dispatchers have nothing left to do."""

        def has_ended() -> bool:
            self.let_go_on()
            return all(one.has_ended for one in alive)

        self.until("the dispatchers end", has_ended)
        for one in alive:
            one.await_end()

    def attempts(self) -> list[tuple[Any, ...]]:
        """Every run there ever was, as (attempt, how it ended, why)."""
        return self.rows("SELECT attempt, stage, cause FROM rampart_runs ORDER BY submission_id, attempt")

    def waiting(self) -> list[str]:
        """Why submissions that are held back wait, as `invoke status` says it."""
        rows = self.catalogue.submissions(self.event.name)
        return [row.held for row in rows if row.state == "new" and row.held]

    def trainings(self) -> Counter[str]:
        """How often a stand-in has begun each submission's training, by its key; hosts that are gone are forgotten."""
        if self.hosts is not None:
            return Counter(self.hosts.trainings())
        noted = self.event.ramp.kit_dir / "trainings"
        return Counter(noted.read_text().split() if noted.exists() else [])

    def log_of(self, submission_id: int) -> str:
        """What the job wrote whose result was pulled last."""
        return (self.event.ramp.logs_dir / f"submission_{submission_id:09d}" / "log").read_text()

    def end(self) -> None:
        """Leave nothing behind, whatever the test came to."""
        for one in self.dispatchers:
            one.kill()
        self.database.close()

    def _submit(self, name: str, code: str) -> int:
        source = self.folder / "code" / name
        source.mkdir(parents=True)
        (source / self.job.code_name).write_text(code)
        return self.catalogue.add_submission(self.event, "blue", name, source)


def open_event(
    folder: Path,
    name: str,
    worker: str,
    job: Job,
    *,
    n_workers: int = 2,
    timeout_s: float = 60,
    database_url: str | None = None,
) -> EventConfig:
    """Write an event file and load it; `worker` is the inside of its section, `database_url` None the embedded one."""
    path = folder / "events" / name / "config.yml"
    path.parent.mkdir(parents=True)
    kit = jobs.make_kit(job, folder / "kit")
    lines = [
        f"ramp: {{problem_name: stand_in, event_name: {name}, kit_dir: {kit}, data_dir: {kit}}}",
        f"worker: {{{worker}, timeout: {timeout_s}}}",
        f"dispatcher: {{n_workers: {n_workers}, hunger_policy: exit, time_between_collection: 0.1}}",
    ]
    path.write_text("\n".join(lines) + "\n")
    if database_url is not None:
        (folder / "config.yml").write_text(f"database_url: {database_url}\n")
    event = load_event(path, environ={})
    if database_url is None:
        embedded = make_url(event.database_url.get_secret_value()).database
        assert embedded is not None
        filled_database.place(Path(embedded))
    return event
