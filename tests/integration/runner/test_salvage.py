"""A run whose host goes leaves its finished folds to the next attempt, under real ramp-test."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.local import LocalTransport
from contracts.work import Claimed, HostAddress, HostLayout, Launched, Provisioned, Scored, Work
from runner.carrying import salvaged
from runner.scoring.bundle import KitFolders
from runner.scoring.scorer import KitScorer
from runner.stages import clean_up, launch, pull, push, salvage, scores, wait

KIT = Path(__file__).parents[2] / "data" / "kits" / "four_folds"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
WAITS_IN_ITS_THIRD_FOLD = """
import time
from pathlib import Path
from sklearn.tree import DecisionTreeClassifier

def get_estimator():
    trained = Path(__file__).with_name("trained")
    trained.open("a").write("x")
    while trained.read_text() == "xxx":
        time.sleep(0.02)
    return DecisionTreeClassifier(max_depth=3, random_state=0)
"""


@pytest.fixture
def first(tmp_path: Path) -> Provisioned:
    submission = tmp_path / "submission"
    submission.mkdir()
    (submission / "estimator.py").write_text(WAITS_IN_ITS_THIRD_FOLD)
    work = Work(
        *(7, "four", "team", "first", 1, submission, tmp_path / "logs", tmp_path / "predictions", 120.0),
        folds=4,
        score_types=("nll", "acc"),
        salvage_dir=salvaged.folder_of(tmp_path, 7, generation=1),
    )
    programs = Path(sys.executable).parent
    layout = HostLayout(str(KIT), str(KIT), sys.executable, str(programs / "ramp-test"), is_ours=False)
    return Provisioned(Claimed(work, NOW), HostAddress("this-machine", "localhost", "me"), layout)


@pytest.fixture
def transport(tmp_path: Path, first: Provisioned) -> Iterator[LocalTransport]:
    opened = LocalTransport(tmp_path)
    yield opened
    for provisioned in (first, second_attempt(first, ())):
        clean_up.clean_up(provisioned, opened)
    opened.close()


def second_attempt(first: Provisioned, kept: tuple[int, ...]) -> Provisioned:
    work = replace(first.claimed.work, attempt=2, salvaged=kept)
    return replace(first, claimed=Claimed(work, NOW))


@pytest.fixture(params=["host", "server"])
def scorer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KitScorer | None]:
    if request.param == "host":
        yield None
        return
    made = KitScorer(KitFolders(KIT, KIT), sys.executable, tmp_path / "kept")
    yield made
    made.close()


def started(provisioned: Provisioned, transport: LocalTransport, scorer: KitScorer | None) -> Launched:
    bundle = scorer.bundle() if scorer else None
    return launch.launch(push.push(provisioned, transport, bundle=bundle), transport, lambda: NOW)


def trained(job: Launched) -> Path:
    """Where a job notes each fold it trains."""
    return Path(job.pushed.job_dir, "submissions", job.pushed.provisioned.claimed.work.submission_key, "trained")


def await_third_fold(noted: Path) -> None:
    deadline = time.monotonic() + 60
    while not noted.exists() or noted.read_text() != "xxx":
        assert time.monotonic() < deadline, "the third fold was not begun"
        time.sleep(0.02)


def test_the_next_attempt_runs_only_what_the_lost_one_had_not_finished(
    first: Provisioned, transport: LocalTransport, scorer: KitScorer | None
) -> None:
    lost = started(first, transport, scorer)
    await_third_fold(trained(lost))
    kept = salvage.salvage(lost, transport)
    assert kept == (0, 1)
    clean_up.clean_up(first, transport)
    second = started(second_attempt(first, kept), transport, scorer)
    finished = wait.wait(second, transport)
    assert trained(second).read_text() == "xx"
    pulled = pull.pull(finished, transport)
    outcome = scores.score(pulled, scorer)
    assert isinstance(outcome, Scored), outcome
    assert [fold.fold for fold in outcome.folds] == [0, 1, 2, 3]
    assert pulled.log_path.read_text().count("finished by an earlier run") == 2
