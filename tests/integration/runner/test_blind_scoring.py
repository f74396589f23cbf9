"""What is trained without a label and scored where the labels are scores as under ramp-test, to the last digit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from contracts.errors import KitInvalid
from runner.job import run_blind, run_folds
from runner.scoring import bundle
from runner.scoring.bundle import Bundle, KitFolders
from runner.scoring.challenge import Challenge, NotAllowed
from runner.scoring.scorer import KitScorer

KITS = Path(__file__).parents[2] / "data" / "kits"
IRIS = Path(__file__).resolve().parents[3] / "examples" / "iris"
TIMES = ("train_time", "valid_time", "test_time")


@dataclass
class Event:
    """A kit with the process that scores its runs."""

    kit: Path
    scorer: KitScorer

    def bundle(self) -> Bundle:
        found = self.scorer.bundle()
        assert found is not None, self.scorer.refusal()
        return found

    def score(self, output: Path) -> str:
        folds = sorted(output.glob("fold_*"), key=lambda folder: int(folder.name.removeprefix("fold_")))
        times = [[float((folder / name).read_text()) for name in TIMES] for folder in folds]
        return self.scorer.score(output, self.bundle().labels, times)


def made_event(kit: Path, folder: Path) -> Event:
    return Event(kit, KitScorer(KitFolders(kit, kit), sys.executable, folder / "kept"))


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Event]:
    event = made_event(IRIS, tmp_path_factory.mktemp("iris"))
    yield event
    event.scorer.close()


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Event]:
    event = made_event(KITS / "prices", tmp_path_factory.mktemp("prices"))
    yield event
    event.scorer.close()


def submissions(event: Event, folder: Path) -> Path:
    without = shutil.ignore_patterns("training_output", "__pycache__")
    return Path(shutil.copytree(event.kit / "submissions", folder, ignore=without))


def blind_options(event: Event, folder: Path, name: str) -> list[str]:
    given = event.bundle().folder
    # a copy, as a job has one: Python leaves compiled files beside what it imports
    kit = shutil.copytree(given / bundle.KIT, folder.parent / "kit", dirs_exist_ok=True)
    options = ["--submission", name, "--ramp-submission-dir", str(folder)]
    return [*options, "--ramp-kit-dir", str(kit), "--bundle", str(given / bundle.DATA)]


def options(event: Event, folder: Path, name: str) -> list[str]:
    kit = ["--ramp-kit-dir", str(event.kit), "--ramp-data-dir", str(event.kit)]
    return ["--submission", name, "--ramp-submission-dir", str(folder), *kit]


def tables(output: Path) -> dict[str, list[str]]:
    """The cells of every table, without times."""
    found = {str(path.relative_to(output)): path.read_text().splitlines() for path in output.rglob("*.csv")}
    return {
        name: [line.rpartition(",")[0] for line in lines] if name.endswith("/scores.csv") else lines
        for name, lines in found.items()
    }


def files(output: Path) -> set[str]:
    return {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()}


def run(argv: list[str]) -> str:
    done = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120)
    return done.stdout


@pytest.mark.parametrize(("event_name", "name"), [("iris", "forest"), ("prices", "trees")])
def test_a_job_without_labels_leaves_what_ramp_test_leaves_once_it_is_scored(
    event_name: str, name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    event: Event = request.getfixturevalue(event_name)
    theirs, ours = submissions(event, tmp_path / "theirs"), submissions(event, tmp_path / "ours")
    ramp_test = str(Path(sys.executable).with_name("ramp-test"))
    run([ramp_test, *options(event, theirs, name), "--save-output", "--ignore-warning"])
    log = run([sys.executable, run_blind.__file__, *blind_options(event, ours, name)])
    assert "CV fold 0" in log
    expected, output = theirs / name / "training_output", ours / name / "training_output"
    assert not list(output.rglob("*.csv"))
    assert event.score(output) == ""
    assert tables(output) == tables(expected)
    assert files(output) == files(expected)
    assert (output / "fold_0" / "state.txt").read_text() == (expected / "fold_0" / "state.txt").read_text()


@pytest.mark.parametrize("name", ["starting_kit", "floods"])
def test_every_example_that_scores_scores_alike(
    name: str, iris: Event, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs, ours = submissions(iris, tmp_path / "theirs"), submissions(iris, tmp_path / "ours")
    run_folds.main(options(iris, theirs, name))
    run_blind.main(blind_options(iris, ours, name))
    capsys.readouterr()
    assert iris.score(ours / name / "training_output") == ""
    assert tables(ours / name / "training_output") == tables(theirs / name / "training_output")


def test_a_submission_that_raises_ends_as_under_ramp_test(
    iris: Event, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = submissions(iris, tmp_path / "submissions")
    with pytest.raises(SystemExit) as ended:
        run_blind.main(blind_options(iris, folder, "raises"))
    log = capsys.readouterr().out
    assert (ended.value.code, "in train_test_submission" in log) == (1, True)
    assert files(folder / "raises" / "training_output") == {"fold_0/state.txt", "fold_0/error.txt"}


def test_what_a_job_is_given_holds_no_test_label_and_no_label_that_no_fold_trains_on(prices: Event) -> None:
    given = prices.bundle().folder
    names = {str(path.relative_to(given)) for path in given.rglob("*") if path.is_file()}
    assert names == {"kit/problem.py", "blind/bundle"}
    data = run_blind.Data(given / bundle.DATA)
    assert list(data.x_test.columns) == ["rooms", "area", "age"]
    packed = (given / bundle.DATA).read_bytes()
    known = set(data.y_train)
    hidden = [
        float(line.rpartition(",")[2]) for line in (prices.kit / "data" / "test.csv").read_text().splitlines()[1:]
    ]
    assert len(hidden) == 24
    assert not any(np.float64(label).tobytes() in packed for label in hidden if label not in known)
    assert np.float64(data.y_train.iloc[0]).tobytes() in packed
    for number, (train_is, valid_is) in enumerate(data.cv):
        told = data.labels(number)
        assert told.index.equals(data.y_train.index)
        assert (told.iloc[train_is] == data.y_train.iloc[train_is]).all()
        assert set(told.iloc[valid_is]) <= set(data.y_train.iloc[train_is])


@pytest.fixture
def output(iris: Event, tmp_path: Path, predicted: Path) -> Path:
    return Path(shutil.copytree(predicted, tmp_path / "training_output"))


@pytest.fixture(scope="module")
def predicted(iris: Event, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an honest job leaves."""
    folder = submissions(iris, tmp_path_factory.mktemp("predicted") / "submissions")
    run([sys.executable, run_blind.__file__, *blind_options(iris, folder, "starting_kit")])
    return folder / "starting_kit" / "training_output"


def replaced(array: Any, suffix: str = "test") -> Callable[[Path], None]:
    return lambda fold: np.savez_compressed(fold / f"y_pred_{suffix}.npz", y_pred=array)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (replaced(np.full((50, 2), 0.5)), "fold_1/y_pred_test.npz has the shape 50 x 2, not 50 x 3"),
        (replaced(np.full((50, 3), np.nan)), "fold_1/y_pred_test.npz has values that are not finite"),
        (replaced(np.full((50, 3), 7.0)), "fold_1/y_pred_test.npz has values from 7 to 7"),
        (replaced(np.array([[{}] * 3] * 50)), "fold_1/y_pred_test.npz holds Python objects"),
        (replaced(np.full((100, 3), "a"), "train"), "fold_1/y_pred_train.npz holds values of type <U1"),
        (lambda fold: (fold / "y_pred_train.npz").unlink(), "fold_1/y_pred_train.npz is missing"),
        (lambda fold: (fold / "y_pred_train.npz").write_text("x"), "fold_1/y_pred_train.npz cannot be read"),
    ],
)
def test_hostile_predictions_are_refused_and_the_next_run_is_scored(
    spoil: Callable[[Path], None], said: str, iris: Event, output: Path, predicted: Path, tmp_path: Path
) -> None:
    spoil(output / "fold_1")
    assert said in iris.score(output)
    assert not list(output.rglob("*.csv"))
    honest = Path(shutil.copytree(predicted, tmp_path / "next"))
    assert iris.score(honest) == ""


def test_a_process_that_was_killed_between_two_runs_is_started_again(iris: Event, output: Path) -> None:
    iris.score(output)
    first = tables(output)
    held = iris.scorer._held
    assert held is not None
    os.kill(held.conversation._process.pid, signal.SIGKILL)
    assert iris.score(output) == ""
    assert tables(output) == first


def test_finished_folds_of_an_earlier_run_are_taken_over_where_they_fit(
    iris: Event, predicted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = submissions(iris, tmp_path / "submissions")
    finished = Path(shutil.copytree(predicted, tmp_path / "finished"))
    replaced(np.zeros((3, 3)))(finished / "fold_1")
    run_blind.main([*blind_options(iris, folder, "starting_kit"), "--finished", str(finished)])
    log = capsys.readouterr().out
    assert log.count("finished by an earlier run") == 1
    assert "Fold 1 is run again: ValueError: it has 3 predictions of 50" in log
    assert iris.score(folder / "starting_kit" / "training_output") == ""


def test_some_folds_may_be_run_alone(iris: Event, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = submissions(iris, tmp_path / "submissions")
    run_blind.main([*blind_options(iris, folder, "starting_kit"), "--folds", "1"])
    assert "CV fold 0" not in capsys.readouterr().out
    assert {path.name for path in (folder / "starting_kit" / "training_output").iterdir()} == {"fold_1"}


def test_some_folds_alone_are_not_run_where_the_kit_has_one_random_generator_for_all(
    iris: Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = submissions(iris, tmp_path / "submissions")
    monkeypatch.setattr(run_blind.Data, "leaves_chance_alone", False)
    with pytest.raises(SystemExit) as ended:
        run_blind.main([*blind_options(iris, folder, "starting_kit"), "--folds", "1"])
    assert ended.value.code == run_blind.CANNOT_BE_APART
    assert not (folder / "starting_kit" / "training_output").exists()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("def get_test_data(path='.'): return _made(2, 30)[0], None", "get_test_data gives no labels"),
        ("del get_test_data", "has no get_test_data"),
        ("def get_cv(x, y): return list(StratifiedShuffleSplit(n_splits=2).split(x, y))", "other folds each time"),
        ("def save_y_pred(*a): pass", "a way of its own (save_y_pred)"),
        ("folds_are_independent = False", "folds_are_independent"),
        ("def get_train_data(path='.'): x, y = _made(1, 90); return x, tuple(y)", "labels are of type tuple"),
        ("def get_train_data(path='.'): x, y = _made(1, 90); return [lambda: 0] * 90, y", "cannot be pickled"),
        ("Predictions = rampwf.prediction_types.make_detection()", "Python objects"),
        ("open(os.path.join(os.path.dirname(__file__), 'data', 'test.csv')).close()", "reads files of data/"),
    ],
)
def test_a_kit_that_cannot_be_scored_away_from_its_hosts_says_why(more: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "test.csv").touch()
    text = (KITS / "four_folds" / "problem.py").read_text()
    (tmp_path / "problem.py").write_text(f"{text}\n\n{more}\n")
    with pytest.raises(NotAllowed) as caught:
        Challenge(str(tmp_path), str(tmp_path))
    assert said in str(caught.value)


def test_labels_beside_the_kits_own_files_are_not_sent(tmp_path: Path) -> None:
    kit = Path(shutil.copytree(KITS / "prices", tmp_path / "kit"))
    (kit / "data" / "test.csv").rename(kit / "secret.csv")
    problem = (
        (kit / "problem.py")
        .read_text()
        .replace('/ f"{name}.csv"', '/ (f"{name}.csv" if name == "train" else "../secret.csv")')
    )
    (kit / "problem.py").write_text(problem)
    assert "secret.csv" in Challenge(str(kit), str(kit)).read_for_data


def test_a_kit_whose_score_type_fails_is_the_organisers_error(tmp_path: Path) -> None:
    kit = Path(shutil.copytree(KITS / "prices", tmp_path / "kit"))
    with (kit / "problem.py").open("a") as file:
        file.write("score_types[0].score_function = lambda *_, **__: 1 / 0\n")
    event = made_event(kit, tmp_path)
    try:
        folder = submissions(event, tmp_path / "submissions")
        run_blind.main(blind_options(event, folder, "trees"))
        with pytest.raises(KitInvalid, match="fold 0 cannot be scored: ZeroDivisionError"):
            event.score(folder / "trees" / "training_output")
    finally:
        event.scorer.close()
