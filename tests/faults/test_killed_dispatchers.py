"""A dispatcher that is killed is replaced by one that goes on where it was: nothing is run twice, nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

EVENT = """
ramp: {{problem_name: iris, event_name: iris, kit_dir: examples/iris, data_dir: examples/iris}}
worker: {{worker_type: conda, env: venv, venv_dir: {prefix}, timeout: 60}}
dispatcher: {{n_workers: 2, n_threads: 1, hunger_policy: exit, time_between_collection: 0.1}}
"""

# counts its trainings, then waits to be let go on
COUNTED = """
import os, pathlib, time
from sklearn.dummy import DummyClassifier

FOLDER = pathlib.Path({folder!r})

def get_estimator():
    with (FOLDER / "trainings").open("a") as file:
        file.write({name!r} + "\\n")
    until = time.monotonic() + 50
    while not (FOLDER / "go").exists() and time.monotonic() < until:
        time.sleep(0.02)
    return DummyClassifier(strategy="prior")
"""

SERVE = """
import sys
from dataclasses import replace
from pathlib import Path
from contracts.event_file import load_event
from runner import app, dispatcher
from runner.interruption import Interruption
from runner.store import SqlStore

event = load_event(Path(sys.argv[1]), environ={})
store = SqlStore(event.database_url.get_secret_value(), event, app.now, owner=sys.argv[2], lease_s=1.5)
interruption = Interruption()
hosts = app.make_hosts(event, outputs=None, image=lambda: None, interruption=interruption)
pace = dispatcher.Pace(2, event.dispatcher.hunger_policy, 0.1, lease_renewal_s=0.3)
made = dispatcher.Dispatcher(
    event.name, pace=pace, store=store, hosts=hosts, interruption=interruption, now=app.now, observe=lambda _: None
)
print(made.serve(), flush=True)
"""


class Stage:
    """An event on this machine, with the dispatchers that serve it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        without = shutil.ignore_patterns("__pycache__", "training_output")
        shutil.copytree(REPOSITORY / "examples" / "iris", folder / "examples" / "iris", ignore=without)
        self.event = folder / "events" / "iris" / "config.yml"
        self.event.parent.mkdir(parents=True)
        self.event.write_text(EVENT.format(prefix=sys.prefix))
        self.dispatchers: list[subprocess.Popen[str]] = []

    def submit(self, *names: str) -> None:
        from contracts.event_file import load_event
        from runner.app import open_catalogue
        from runner.kit import describe_kit

        event = load_event(self.event, environ={})
        catalogue = open_catalogue(event)
        catalogue.add_event(
            event, describe_kit(event.ramp.kit_dir, data_dir=event.ramp.data_dir, python=sys.executable)
        )
        catalogue.add_team("iris", "blue")
        for name in names:
            code = self.folder / "code" / name
            code.mkdir(parents=True)
            (code / "estimator.py").write_text(COUNTED.format(folder=str(self.folder), name=name))
            catalogue.add_submission(event, "blue", name, code)

    def dispatcher(self, name: str) -> subprocess.Popen[str]:
        started = subprocess.Popen(
            [sys.executable, "-c", SERVE, str(self.event), name],
            cwd=self.folder, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, text=True, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.dispatchers.append(started)
        return started

    def let_go_on(self) -> None:
        (self.folder / "go").touch()

    def trainings(self) -> Counter[str]:
        try:
            return Counter((self.folder / "trainings").read_text().split())
        except FileNotFoundError:
            return Counter()

    def rows(self, query: str, *values: object) -> list[tuple[object, ...]]:
        with sqlite3.connect(self.folder / ".rampart" / "iris.db") as database:
            rows = database.execute(query, values).fetchall()
        database.close()
        return rows

    def await_rows(self, query: str, count: int, *values: object) -> None:
        until = time.monotonic() + 30
        while len(self.rows(query, *values)) < count:
            assert time.monotonic() < until, self.rows("SELECT submission_id, stage, lease_owner FROM rampart_runs")
            assert all(one.poll() in (None, -signal.SIGKILL) for one in self.dispatchers)
            time.sleep(0.02)

    def end(self) -> None:
        self.let_go_on()
        for one in self.dispatchers:
            if one.poll() is None:
                one.kill()
            one.communicate()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.end()


IN_TRAINING = "SELECT 1 FROM rampart_runs WHERE stage = 'wait'"


def test_a_job_goes_on_when_its_dispatcher_is_killed_and_is_recorded_once_by_the_next(stage: Stage) -> None:
    stage.submit("one")
    first = stage.dispatcher("first")
    stage.await_rows(IN_TRAINING, 1)
    first.kill()
    first.wait()
    second = stage.dispatcher("second")
    stage.await_rows("SELECT 1 FROM rampart_runs WHERE lease_owner = 'second'", 1)
    stage.let_go_on()
    said, _ = second.communicate(timeout=60)
    assert "scored=1, failed=0, requeued=0, unexpected=0" in said, said
    assert stage.rows("SELECT attempt, stage, lease_expires_at FROM rampart_runs") == [(1, "scored", None)]
    assert stage.trainings() == {"one": 2}  # two folds
    assert stage.rows("SELECT state FROM submissions") == [("scored",)]
    assert list((stage.folder / ".rampart").rglob("iris-1-1")) == []


def test_two_dispatchers_of_one_event_run_nothing_twice_even_if_one_is_killed(stage: Stage) -> None:
    names = [f"s{number}" for number in range(4)]
    stage.submit(*names)
    first, second = stage.dispatcher("first"), stage.dispatcher("second")
    stage.await_rows(IN_TRAINING, 4)
    owners = stage.rows("SELECT DISTINCT lease_owner FROM rampart_runs ORDER BY 1")
    assert owners == [("first",), ("second",)]
    first.kill()
    first.wait()
    stage.let_go_on()
    said, _ = second.communicate(timeout=60)
    assert "scored=4, failed=0, requeued=0, unexpected=0" in said, said
    assert stage.trainings() == dict.fromkeys(names, 2)
    assert stage.rows("SELECT attempt, stage FROM rampart_runs") == [(1, "scored")] * 4


def test_a_run_whose_job_was_lost_is_run_again_and_three_losses_are_the_platforms_fault(stage: Stage) -> None:
    stage.submit("one")
    for attempt in (1, 2, 3):
        running = stage.dispatcher(f"number-{attempt}")
        stage.await_rows(IN_TRAINING + " AND attempt = ?", 1, attempt)
        running.kill()
        running.wait()
        (job,) = (stage.folder / ".rampart").rglob(f"iris-1-{attempt}")
        os.kill(int((job / "supervisor").read_text()), signal.SIGKILL)
    last = stage.dispatcher("last")
    last.communicate(timeout=60)
    assert stage.rows("SELECT attempt, stage, cause FROM rampart_runs ORDER BY attempt") == [
        (1, "requeued", "host-lost"),
        (2, "requeued", "host-lost"),
        (3, "failed", "host-lost"),
    ]
    assert stage.rows("SELECT state FROM submissions") == [("checking_error",)]
    (fields,) = stage.rows("SELECT journal FROM rampart_runs WHERE attempt = 3")
    assert json.loads(str(fields[0]))["kind"] == "Launched"
