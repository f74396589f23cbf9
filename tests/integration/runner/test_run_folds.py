"""Folds that were run apart are, together, what ramp-test makes of them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from runner.job import run_folds

KIT = Path(__file__).parents[2] / "data" / "kits" / "four_folds"
FOLDS = frozenset(range(4))
SPLITS = [set(some) for count in range(5) for some in combinations(sorted(FOLDS), count)]
TIMES = {"train_time", "valid_time", "test_time"}


def options(submissions: Path) -> list[str]:
    kit = ["--submission", "tree", "--ramp-kit-dir", str(KIT), "--ramp-data-dir", str(KIT)]
    return [*kit, "--ramp-submission-dir", str(submissions)]


@pytest.fixture
def submissions(tmp_path: Path) -> Path:
    return Path(shutil.copytree(KIT / "submissions", tmp_path / "submissions"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of one run of ramp-test."""
    submissions = Path(shutil.copytree(KIT / "submissions", tmp_path_factory.mktemp("whole") / "submissions"))
    ramp_test = Path(sys.executable).with_name("ramp-test")
    subprocess.run([ramp_test, *options(submissions), "--save-output", "--ignore-warning"], check=True, timeout=120)
    return submissions / "tree" / "training_output"


@pytest.fixture
def finished(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "finished"))


def content(output: Path) -> dict[str, object]:
    """Every file of an output by its name, without times: of arrays type, shape and bytes, of tables the cells."""
    return {str(path.relative_to(output)): _read(path) for path in sorted(output.rglob("*")) if path.is_file()}


def _read(path: Path) -> object:
    if path.name in TIMES:
        return float(path.read_text()) > 0
    if path.name == "scores.csv":
        return [line.rpartition(",")[0] for line in path.read_text().splitlines()]
    if path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            return {name: (arrays[name].dtype, arrays[name].shape, arrays[name].tobytes()) for name in arrays}
    return path.read_bytes()


def trained(log: str) -> int:
    return log.count("a fold is trained")


@pytest.mark.parametrize("first", SPLITS, ids=lambda split: "".join(map(str, sorted(split))) or "none")
def test_any_folds_run_first_and_the_others_later_give_what_one_run_gives(
    first: set[int], whole: Path, submissions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    earlier = tmp_path / "earlier"
    if first:
        shutil.copytree(submissions, earlier)
        run_folds.main([*options(earlier), "--folds", ",".join(map(str, first))])
    assert trained(capsys.readouterr().out) == len(first)
    run_folds.main([*options(submissions), "--finished", str(earlier / "tree" / "training_output")])
    assert trained(capsys.readouterr().out) == 4 - len(first)
    output = submissions / "tree" / "training_output"
    assert content(output) == content(whole)
    for number in first:
        here, there = (place / f"fold_{number}" for place in (output, earlier / "tree" / "training_output"))
        assert all((here / path.name).read_bytes() == path.read_bytes() for path in there.iterdir())


def test_folds_without_the_others_are_not_bagged(whole: Path, submissions: Path) -> None:
    run_folds.main([*options(submissions), "--folds", "2"])
    output = submissions / "tree" / "training_output"
    assert content(output) == {name: data for name, data in content(whole).items() if name.startswith("fold_2/")}


def _without_its_array(fold: Path) -> None:
    (fold / "y_pred_test.npz").unlink()


def _with_a_damaged_array(fold: Path) -> None:
    data = (fold / "y_pred_train.npz").read_bytes()
    (fold / "y_pred_train.npz").write_bytes(data[: len(data) // 2])


def _with_pickled_objects(fold: Path) -> None:
    np.savez_compressed(fold / "y_pred_train.npz", y_pred=np.array([{}] * 90, dtype=object))


def _with_better_scores(fold: Path) -> None:
    table = (fold / "scores.csv").read_text()
    (fold / "scores.csv").write_text(table.replace("valid,", "valid,0"))


def _with_another_folds_arrays(fold: Path) -> None:
    shutil.copy(fold.with_name("fold_2") / "y_pred_train.npz", fold)


def _without_a_time(fold: Path) -> None:
    (fold / "test_time").unlink()


@pytest.mark.parametrize(
    "spoil",
    [
        _without_its_array,
        _with_a_damaged_array,
        _with_pickled_objects,
        _with_better_scores,
        _with_another_folds_arrays,
        _without_a_time,
    ],
)
def test_a_finished_fold_that_does_not_fit_is_run_again(
    spoil: object, whole: Path, submissions: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(spoil)
    spoil(finished / "fold_1")
    run_folds.main([*options(submissions), "--finished", str(finished)])
    log = capsys.readouterr().out
    assert (trained(log), "Fold 1 is run again" in log) == (1, True)
    assert content(submissions / "tree" / "training_output") == content(whole)


def test_a_kit_that_splits_at_random_has_all_its_folds_run_again(
    submissions: Path, finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANDOM_FOLDS", "1")
    run_folds.main([*options(submissions), "--finished", str(finished)])
    assert trained(capsys.readouterr().out) == 4


def test_a_kit_may_say_that_its_folds_cannot_be_run_apart(
    whole: Path,
    submissions: Path,
    finished: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DEPENDENT_FOLDS", "1")
    run_folds.main([*options(submissions), "--finished", str(finished)])
    log = capsys.readouterr().out
    assert (trained(log), "cannot be run apart" in log) == (4, True)
    assert content(submissions / "tree" / "training_output") == content(whole)


SEEDS = "import numpy; numpy.random.seed(1)\n"


@pytest.mark.parametrize(("why", "more"), [("RANDOM_FOLDS", ""), ("DEPENDENT_FOLDS", ""), ("", SEEDS)])
def test_some_folds_alone_are_not_run_where_they_would_not_be_what_they_are_in_one_run(
    why: str,
    more: str,
    submissions: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kit = tmp_path / "kit"
    kit.mkdir()
    (kit / "problem.py").write_text((KIT / "problem.py").read_text() + more)
    if why:
        monkeypatch.setenv(why, "1")
    asked = ["--submission", "tree", "--ramp-kit-dir", str(kit), "--ramp-data-dir", str(kit)]
    with pytest.raises(SystemExit) as ended:
        run_folds.main([*asked, "--ramp-submission-dir", str(submissions), "--folds", "1"])
    assert ended.value.code == run_folds.CANNOT_BE_APART
    assert (trained(capsys.readouterr().out), (submissions / "tree" / "training_output").exists()) == (0, False)


def test_a_submission_that_raises_in_a_later_fold_ends_as_under_ramp_test(
    submissions: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(finished / "fold_3")
    (submissions / "tree" / "estimator.py").write_text("raise RuntimeError('no estimator')\n")
    with pytest.raises(SystemExit) as ended:
        run_folds.main([*options(submissions), "--finished", str(finished)])
    assert ended.value.code == 1
    assert "RuntimeError: no estimator" in capsys.readouterr().out
    output = submissions / "tree" / "training_output"
    assert (output / "fold_3" / "state.txt").read_text() == "training_error"
    assert "no estimator" in (output / "fold_3" / "error.txt").read_text()
    assert sorted(path.name for path in output.iterdir()) == ["fold_0", "fold_1", "fold_2", "fold_3"]
