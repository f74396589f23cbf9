"""Folds that are trained side by side give what they give one after the other, to the last digit."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from contracts.event import EventConfig
from contracts.event_file import load_event
from contracts.work import Blame, Cause, Claimed, Failed, Provisioned, Scored
from runner import app
from runner.interruption import Interruption, Wish
from runner.kit import KitDescription, ScoreType
from runner.ports import Hosts, Scorer
from runner.progress import Progress, RunEnded, Stage, StageStarted
from runner.scoring.bundle import KitFolders
from runner.scoring.scorer import KitScorer
from runner.store import SqlStore
from runner.workers.conda import ThisMachine
from tests import warm
from tests.warm import Program

ROOT = Path(__file__).resolve().parents[3]
IRIS = ROOT / "examples" / "iris"
FOUR = ROOT / "tests" / "data" / "kits" / "four_folds"
DESCRIBED = {
    IRIS: KitDescription("Iris", (ScoreType("acc", True), ScoreType("error", False), ScoreType("nll", False)), folds=2),
    FOUR: KitDescription("Four folds", (ScoreType("nll", True), ScoreType("acc", False)), folds=4),
}
KEY = "submission_000000001"
FOREST = (IRIS / "submissions" / "forest" / "estimator.py").read_text()
TREE = """
from sklearn.tree import DecisionTreeClassifier

def get_estimator():
    return DecisionTreeClassifier(max_depth=3, random_state=0)
"""
WAITS = f"""
import time
from pathlib import Path
{TREE}
class Waits(DecisionTreeClassifier):
    def fit(self, X, y):
        here = Path(__file__).parent
        began = time.monotonic()
        (here / "begun").touch()
        while not (here / "go").exists():
            time.sleep(0.02)
        super().fit(X, y)
        print("a fold from %r to %r" % (began, time.monotonic()))
        return self

def get_estimator():
    return Waits(max_depth=3, random_state=0)
"""


RAISES_IN_FOLD_1 = f"""
import time
from pathlib import Path
{TREE}
class Raises(DecisionTreeClassifier):
    def fit(self, X, y):
        if "-fold-1" in __file__:
            raise ValueError("not this one")
        time.sleep(100)

def get_estimator():
    return Raises()
"""


@dataclass
class Told:
    """What those who watch were told."""

    stages: list[Stage] = field(default_factory=list)
    ended: list[RunEnded] = field(default_factory=list)

    def __call__(self, progress: Progress) -> None:
        if isinstance(progress, StageStarted):
            self.stages.append(progress.stage)
        elif isinstance(progress, RunEnded):
            self.ended.append(progress)


class Watched(ThisMachine):
    """This machine, which keeps what it gave and what came back."""

    def __init__(self, event: EventConfig) -> None:
        from clients.local import LocalTransport

        super().__init__(event, open_transport=LocalTransport)
        self.shares: list[tuple[int, ...]] = []
        self.released: list[tuple[int, ...]] = []

    def acquire_another(self, claimed: Claimed) -> Provisioned | None:
        self.shares.append(claimed.work.share)
        return super().acquire_another(claimed)

    def release(self, provisioned: Provisioned) -> None:
        self.released.append(provisioned.claimed.work.share)
        super().release(provisioned)


def event_of(folder: Path, kit: Path, *, at_a_time: int) -> EventConfig:
    path = folder / "events" / "folds" / "config.yml"
    path.parent.mkdir(parents=True)
    lines = [
        f"ramp: {{problem_name: folds, event_name: folds, kit_dir: {kit}, data_dir: {kit}}}",
        f"worker: {{worker_type: conda, env: venv, venv_dir: {sys.prefix}, folds_at_a_time: {at_a_time}}}",
        "dispatcher: {n_workers: 1, hunger_policy: exit, time_between_collection: 0.1}",
    ]
    path.write_text("\n".join(lines) + "\n")
    return load_event(path, environ={})


def submitted(event: EventConfig, code: str, folder: Path) -> SqlStore:
    store = app.open_store(event)
    catalogue = app.open_catalogue(event)
    catalogue.add_event(event, DESCRIBED[event.ramp.kit_dir])
    catalogue.add_team("folds", "blue")
    (folder / "code").mkdir()
    (folder / "code" / "estimator.py").write_text(code)
    catalogue.add_submission(event, "blue", "first", folder / "code")
    return store


def serve(
    event: EventConfig,
    store: SqlStore,
    hosts: Hosts,
    scorer: Scorer | None = None,
    *,
    interruption: Interruption | None = None,
) -> Told:
    told = Told()
    stop = interruption or Interruption()
    app.make_dispatcher(event, store=store, hosts=hosts, interruption=stop, observe=told, scorer=scorer).serve()
    store.close()
    return told


def ran(folder: Path, kit: Path, code: str, *, at_a_time: int, scorer: Scorer | None = None) -> tuple[Told, Watched]:
    folder.mkdir()
    event = event_of(folder, kit, at_a_time=at_a_time)
    hosts = Watched(event)
    return serve(event, submitted(event, code, folder), hosts, scorer), hosts


def scored(told: Told) -> Scored:
    outcome = told.ended[0].outcome
    assert isinstance(outcome, Scored), outcome
    return outcome


def log_of(scored: Scored) -> str:
    return scored.pulled.log_path.read_text()


def output_of(scored: Scored) -> dict[str, object]:
    """Every file by its name, without times: of arrays the bytes, of tables the cells."""
    folder = scored.pulled.output_dir
    assert folder is not None
    return {str(path.relative_to(folder)): _read(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def _read(path: Path) -> object:
    if path.name.endswith("_time"):
        return float(path.read_text()) >= 0
    if path.name == "scores.csv":
        return [line.rpartition(",")[0] for line in path.read_text().splitlines()]
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {name: (arrays[name].dtype, arrays[name].shape, arrays[name].tobytes()) for name in arrays}
    return path.read_bytes()


@pytest.fixture(scope="module")
def one_after_the_other(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    told, hosts = ran(tmp_path_factory.mktemp("one") / "run", IRIS, FOREST, at_a_time=1)
    assert (hosts.shares, hosts.released) == ([], [()])
    return scored(told)


@pytest.fixture(params=["host", "server"])
def iris_scorer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KitScorer | None]:
    if request.param == "host":
        yield None
        return
    made = KitScorer(KitFolders(IRIS, IRIS), sys.executable, tmp_path / "kept")
    yield made
    made.close()


def test_the_scores_are_the_same_however_many_folds_are_trained_at_a_time(
    one_after_the_other: Scored, iris_scorer: KitScorer | None, tmp_path: Path
) -> None:
    three, hosts = ran(tmp_path / "run", IRIS, FOREST, at_a_time=3, scorer=iris_scorer)
    assert hosts.shares == [(1,)]
    assert hosts.released == [(1,), ()]
    apart, whole = scored(three), one_after_the_other
    assert [fold.scores for fold in apart.folds] == [fold.scores for fold in whole.folds]
    assert apart.bagged == whole.bagged
    assert output_of(apart) == output_of(whole)
    assert log_of(apart).count("finished by an earlier run") == 2


def test_jobs_run_at_the_same_time_go_on_without_their_dispatcher_and_are_told_of_as_one(tmp_path: Path) -> None:
    event = event_of(tmp_path, FOUR, at_a_time=3)
    store, hosts, first = submitted(event, WAITS, tmp_path), Watched(event), Interruption()
    words = ["logs", "--event", "folds", "--team", "blue", "--submission", "first", "--follow"]
    here = ["--search-root", str(ROOT), *words]
    follower = warm.start(Program.INVOKE, here, folder=tmp_path, variables=os.environ)
    begun: list[Path] = []

    def hand_back_when_three_have_begun() -> None:
        deadline = time.monotonic() + 60
        while len(begun) < 3 and time.monotonic() < deadline:
            begun[:] = (event.state_dir / "host" / ".rampart" / "jobs").glob("*/submissions/*/begun")
            time.sleep(0.02)
        first.ask(Wish.HAND_BACK)

    watching = threading.Thread(target=hand_back_when_three_have_begun)
    watching.start()
    assert serve(event, store, hosts, interruption=first).ended == []
    watching.join()
    assert (len(begun), hosts.shares, hosts.released) == (3, [(1,), (2,)], [])
    told_of: set[str] = set()
    for line in follower.said:  # each job has said something by now, and says no more before it may go on
        told_of.add(line.partition(":")[0])
        if told_of >= {"folds 0, 3", "fold 1", "fold 2"}:
            break
    for path in begun:
        path.with_name("go").touch()
    told = serve(event, app.open_store(event), hosts)
    result = scored(told)
    log = log_of(result)
    spans = [tuple(map(float, line.split()[3:6:2])) for line in log.splitlines() if line.startswith("a fold from")]
    assert len(spans) == 4
    side_by_side = [spans[0], spans[2], spans[3]]  # the second one came after the first, in the same job
    assert max(began for began, _ in side_by_side) < min(ended for _, ended in side_by_side)
    assert [line for line in log.splitlines() if line.startswith("----- ")] == [
        "----- folds 0, 3, trained beside the others -----",
        "----- fold 1, trained beside the others -----",
        "----- fold 2, trained beside the others -----",
        "----- all folds together -----",
    ]
    followed = follower.await_end(60)
    assert follower.exit_code == 0, followed
    trained = sorted(line.partition(":")[0] for line in followed.splitlines() if ": a fold from" in line)
    assert trained == ["fold 1", "fold 2", "folds 0, 3", "folds 0, 3"]
    assert "blue/first is scored" in followed
    assert hosts.shares == [(1,), (2,)]
    assert sorted(hosts.released) == [(), (1,), (2,)]
    assert told.stages.count(Stage.WAIT) == 1
    work = result.pulled.finished.launched.pushed.provisioned.claimed.work
    assert work.salvage_dir is not None
    assert not work.salvage_dir.parent.exists()


def test_a_fold_that_raises_fails_the_run_with_its_own_log_and_ends_the_others(tmp_path: Path) -> None:
    told, hosts = ran(tmp_path / "run", FOUR, RAISES_IN_FOLD_1, at_a_time=4)
    outcome = told.ended[0].outcome
    assert isinstance(outcome, Failed)
    assert (outcome.blame, outcome.cause) == (Blame.PARTICIPANT, Cause.RAISED)
    assert outcome.message == "the submission raised ValueError: not this one"
    assert "CV fold 1" in (outcome.work.logs_dir / KEY / "log").read_text()
    assert sorted(hosts.released) == [(), (1,), (2,), (3,)]
    assert list((tmp_path / "run" / ".rampart" / "folds" / "host" / ".rampart" / "jobs").iterdir()) == []
