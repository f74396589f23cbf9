"""A run is told that its host will be taken away, and its submission goes on from there."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients.local import LocalTransport
from contracts.event import EventConfig
from contracts.event_file import load_event
from contracts.work import Claimed, Provisioned
from runner import app
from runner.carrying import salvaged
from runner.interruption import Interruption
from runner.kit import KitDescription, ScoreType
from runner.progress import Progress, Stage, StageStarted
from runner.store import SqlStore
from runner.workers.conda import ThisMachine

KIT = Path(__file__).parents[2] / "data" / "kits" / "four_folds"
TRAINS = """
import time
from pathlib import Path
from sklearn.tree import DecisionTreeClassifier

def get_estimator():
    print("a fold is begun")
    trained = Path(__file__).with_name("trained")
    trained.open("a").write("x")
    while trained.read_text() == WAITS_AT:
        time.sleep(0.02)
    return DecisionTreeClassifier(max_depth=3, random_state=0)
"""
NEVER_WAITS = f"WAITS_AT = None\n{TRAINS}"
WAITS_IN_ITS_THIRD_FOLD = f"WAITS_AT = 'xxx'\n{TRAINS}"
KEY = "submission_000000001"
_PATIENCE_S = 120.0

Stages = list[tuple[int, Stage]]


class WarnedMachine(ThisMachine):
    """This machine, of which can be said that it will be taken away."""

    def __init__(self, event: EventConfig) -> None:
        super().__init__(event, open_transport=LocalTransport)
        self.calls: list[Callable[[str], None]] = []
        self.is_marked = False
        self.acquired: list[Claimed] = []

    def acquire(self, claimed: Claimed, interruption: Interruption | None = None) -> Provisioned:
        self.acquired.append(claimed)
        return super().acquire(claimed)

    def on_notice(self, provisioned: Provisioned, call: Callable[[str], None]) -> Callable[[], None]:
        if self.is_marked:
            self.is_marked = False
            call("EC2 takes it back")
        self.calls.append(call)
        return lambda: self.calls.remove(call)


@pytest.fixture
def event(tmp_path: Path) -> EventConfig:
    path = tmp_path / "events" / "four" / "config.yml"
    path.parent.mkdir(parents=True)
    lines = [
        f"ramp: {{problem_name: four, event_name: four, kit_dir: {KIT}, data_dir: {KIT}}}",
        f"worker: {{worker_type: conda, env: venv, venv_dir: {sys.prefix}, timeout: 300}}",
        "dispatcher: {n_workers: 1, hunger_policy: exit, time_between_collection: 0.1}",
    ]
    path.write_text("\n".join(lines) + "\n")
    return load_event(path, environ={})


@pytest.fixture
def store(event: EventConfig) -> Iterator[SqlStore]:
    """The event's queue."""
    opened = app.open_store(event)
    catalogue = app.open_catalogue(event)
    kit = KitDescription("Four folds", (ScoreType("nll", True), ScoreType("acc", False)), folds=4)
    catalogue.add_event(event, kit)
    catalogue.add_team("four", "blue")
    yield opened
    opened.close()


def submit(event: EventConfig, code: Path, text: str) -> None:
    code.mkdir()
    (code / "estimator.py").write_text(text)
    app.open_catalogue(event).add_submission(event, "blue", "first", code)


def begun_by_first_attempt(event: EventConfig) -> str:
    """What its job has noted so far, a letter for each fold."""
    job = event.state_dir / "host" / ".rampart" / "jobs" / "four-1-1"
    noted = job / "submissions" / KEY / "trained"
    return noted.read_text() if noted.exists() else ""


def begun_by_last_attempt(event: EventConfig) -> int:
    """How many folds the job began whose log came home last."""
    return (event.ramp.logs_dir / KEY / "log").read_text().count("a fold is begun")


def until(is_so: Callable[[], object]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def serve(event: EventConfig, store: SqlStore, hosts: WarnedMachine, meanwhile: Callable[[Stages], None]) -> Stages:
    """Serve the event to its end while something happens; gives the stages its runs entered."""
    stages: Stages = []

    def note(progress: Progress) -> None:
        if isinstance(progress, StageStarted):
            stages.append((progress.work.attempt, progress.stage))

    interruption = Interruption()
    dispatcher = app.make_dispatcher(event, store=store, hosts=hosts, interruption=interruption, observe=note)
    summaries = []
    served = threading.Thread(target=lambda: summaries.append(dispatcher.serve()))
    served.start()
    try:
        meanwhile(stages)
        served.join(_PATIENCE_S)
        assert not served.is_alive(), stages
    finally:
        interruption.ask()
        served.join()
    assert (summaries[0].scored, summaries[0].requeued, summaries[0].failed) == (1, 1, 0)
    return stages


def test_on_notice_what_is_finished_is_kept_and_the_rest_run_elsewhere(
    event: EventConfig, store: SqlStore, tmp_path: Path
) -> None:
    submit(event, tmp_path / "code", WAITS_IN_ITS_THIRD_FOLD)
    hosts = WarnedMachine(event)

    def notice(stages: Stages) -> None:
        until(lambda: (1, Stage.WAIT) in stages)
        until(lambda: begun_by_first_attempt(event) == "xxx")
        hosts.calls[0]("EC2 takes it back")

    serve(event, store, hosts, notice)
    first, second = (one.work for one in hosts.acquired)
    assert (first.salvaged, second.salvaged) == ((), (0, 1))
    assert begun_by_last_attempt(event) == 2
    assert second.salvage_dir is not None
    assert salvaged.folds_in(second.salvage_dir) == ()
    assert not second.salvage_dir.parent.exists()
    assert hosts.calls == []


def test_a_notice_before_the_job_runs_moves_it_to_another_host(
    event: EventConfig, store: SqlStore, tmp_path: Path
) -> None:
    submit(event, tmp_path / "code", NEVER_WAITS)
    hosts = WarnedMachine(event)
    hosts.is_marked = True
    stages = serve(event, store, hosts, lambda _: None)
    assert (1, Stage.WAIT) not in stages
    assert begun_by_last_attempt(event) == 4
    assert [one.work.salvaged for one in hosts.acquired] == [(), ()]
