"""The scoring process is kept, started again where it must be, and never believed beyond its kit."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import KitChanged, KitInvalid
from runner.scoring.bundle import KitFolders
from runner.scoring.scorer import KitScorer, Limits, process_environment

# reads what it is to say from the kit: one file says what it tells first, one how it answers
STAND_IN = """
import json, os, pathlib, sys
kit = pathlib.Path(sys.argv[1])
with (kit / ".started").open("a") as file:
    file.write("x")
print((kit / "about.json").read_text(), flush=True)
for line in sys.stdin:
    if json.loads(line)["verb"] == "pack":
        print('{"bytes": 4}', flush=True)
        print("data", end="", flush=True)
        continue
    answer = (kit / ".answer").read_text()
    if answer == "dies":
        os._exit(9)
    if answer == "dies once":
        (kit / ".answer").write_text('{"folds": ["first"], "bagged": "all"}')
        os._exit(9)
    if answer != "is silent":
        print(answer, flush=True)
"""
TIMES = ((1.0, 2.0, 3.0),)
SCORES = {"folds": ["first"], "bagged": "all"}


class Stage:
    """A kit, what its process says, and the scorers made of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kit = folder / "kit"
        self.kit.mkdir()
        (self.kit / "problem.py").touch()
        self.output = folder / "training_output"
        (self.output / "fold_0").mkdir(parents=True)
        (folder / "stand_in.py").write_text(STAND_IN)
        self.now = 0.0
        self.warnings: list[str] = []
        self.made: list[KitScorer] = []
        self.says(labels="one", read=[])
        self.answers(SCORES)

    def says(self, **about: object) -> None:
        """What the process tells when the kit is read from now on; the kit has changed by it."""
        (self.kit / "about.json").write_text(json.dumps(about))
        self.now += 100

    def answers(self, answer: object) -> None:
        (self.kit / ".answer").write_text(answer if isinstance(answer, str) else json.dumps(answer))

    def scorer(self, *, wrap: Callable[[Sequence[str]], Sequence[str]] | None = None, **settings: Any) -> KitScorer:
        made = KitScorer(
            KitFolders(self.kit, self.kit),
            sys.executable,
            self.folder / "kept",
            wrap=wrap or (lambda argv: (argv[0], "-S", "-E", str(self.folder / "stand_in.py"), *argv[3:])),
            warn=self.warnings.append,
            clock=lambda: self.now,
            **settings,
        )
        self.made.append(made)
        return made

    @property
    def started(self) -> int:
        """How often a process was started."""
        return len((self.kit / ".started").read_text())


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    for scorer in stage.made:
        scorer.close()


def test_one_process_serves_many_runs(stage: Stage) -> None:
    scorer = stage.scorer()
    scorer.start()
    kept = scorer.bundle()
    assert kept is not None
    for _ in range(3):
        assert scorer.bundle() == kept
        assert scorer.score(stage.output, kept.labels, TIMES) == ""
    assert (kept.folder / "blind" / "bundle").read_text() == "data"
    assert (stage.output / "fold_0" / "scores.csv").read_text() == "first"
    assert (stage.output / "bagged_scores.csv").read_text() == "all"
    assert stage.started == 1


def test_predictions_that_are_refused_are_told_and_leave_no_scores(stage: Stage) -> None:
    stage.answers({"refused": "fold 0 is wrong"})
    assert stage.scorer().score(stage.output, "one", TIMES) == "fold 0 is wrong"
    assert list(stage.output.rglob("*.csv")) == []


def test_a_kit_that_fails_is_the_organisers_error(stage: Stage) -> None:
    stage.answers({"broken": "ZeroDivisionError"})
    with pytest.raises(KitInvalid, match="the kit could not score a run: ZeroDivisionError"):
        stage.scorer().score(stage.output, "one", TIMES)


def test_a_process_that_died_is_started_again_and_asked_once_more(stage: Stage) -> None:
    scorer = stage.scorer()
    stage.answers("dies once")
    assert scorer.score(stage.output, "one", TIMES) == ""
    assert stage.started == 2


def test_a_process_that_dies_of_each_question_is_the_kits_fault(stage: Stage) -> None:
    stage.answers("dies")
    scorer = stage.scorer()
    with pytest.raises(KitInvalid, match="exit code 9"):
        scorer.score(stage.output, "one", TIMES)
    assert stage.started == 2
    stage.answers(SCORES)
    assert scorer.score(stage.output, "one", TIMES) == ""


def test_a_process_that_does_not_answer_is_ended_and_not_asked_again(stage: Stage) -> None:
    stage.answers("is silent")
    with pytest.raises(KitInvalid, match="did not answer in its time"):
        stage.scorer(limits=Limits(score_s=0.3)).score(stage.output, "one", TIMES)
    assert stage.started == 1


def test_a_changed_kit_is_read_again(stage: Stage) -> None:
    scorer = stage.scorer()
    first = scorer.bundle()
    stage.says(labels="two", read=[])
    second = scorer.bundle()
    assert first is not None
    assert second is not None
    assert (first.labels, second.labels, stage.started) == ("one", "two", 2)
    assert first.folder.is_dir(), "a push of it may be under way"


def test_a_run_made_with_other_labels_is_not_scored(stage: Stage) -> None:
    scorer = stage.scorer()
    with pytest.raises(KitChanged, match="labels or folds were changed"):
        scorer.score(stage.output, "others", TIMES)
    stage.says(not_allowed="it has no labels")
    with pytest.raises(KitChanged, match="it has no labels"):
        scorer.score(stage.output, "one", TIMES)


def test_a_kit_that_does_not_allow_it_falls_back_and_says_once_why(stage: Stage) -> None:
    stage.says(not_allowed="it has no labels")
    scorer = stage.scorer()
    assert [scorer.bundle() for _ in range(3)] == [None, None, None]
    assert scorer.refusal() == "it has no labels"
    assert (stage.warnings, stage.started) == (["it has no labels"], 1)
    stage.says(labels="one", read=[])
    assert scorer.bundle() is not None


def test_where_it_is_demanded_there_is_no_falling_back(stage: Stage) -> None:
    stage.says(not_allowed="it has no labels")
    scorer = stage.scorer(demanded=True)
    with pytest.raises(KitInvalid, match="it has no labels"):
        scorer.bundle()
    assert stage.warnings == []


def test_a_kit_that_cannot_be_sent_does_not_allow_it(stage: Stage) -> None:
    (stage.kit / "helper.py").symlink_to("/etc/passwd")
    assert "not a regular file" in stage.scorer().refusal()


def test_a_process_that_cannot_start_is_a_reason(stage: Stage) -> None:
    assert "/nowhere cannot be run" in stage.scorer(wrap=lambda _: ("/nowhere",)).refusal()
    assert "exit code 7" in stage.scorer(wrap=lambda _: ("sh", "-c", "exit 7")).refusal()


def test_a_kit_that_was_served_blind_never_gets_its_labels_out_because_the_process_fails(stage: Stage) -> None:
    sound = (sys.executable, "-S", "-E", str(stage.folder / "stand_in.py"), str(stage.kit))
    script = f'if [ -e {stage.folder}/broken ]; then exit 7; fi; exec "$@"'
    scorer = stage.scorer(wrap=lambda _: ("sh", "-c", script, "sh", *sound))
    assert scorer.bundle() is not None
    (stage.folder / "broken").touch()
    stage.answers("dies")
    with pytest.raises(KitChanged, match="exit code 7"):
        scorer.score(stage.output, "one", TIMES)
    with pytest.raises(KitInvalid, match="exit code 7"):
        scorer.bundle()
    assert stage.warnings == []


def test_the_process_knows_no_secret_and_counts_with_as_many_threads_as_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@host/db")
    environ = process_environment("/env/bin/python", 4)
    assert environ.keys() == {
        *("PATH", "HOME", "LANG", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
    }
    assert (environ["OMP_NUM_THREADS"], environ["PATH"].split(":")[0]) == ("4", "/env/bin")
