"""Beside a stranger's predictions lie our scores, and nothing else of the stranger's."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.scoring import placing

HONEST = ("y_pred_train.npz", "y_pred_test.npz", "train_time", "valid_time", "test_time", "state.txt")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    for number in range(2):
        folder = tmp_path / f"fold_{number}"
        folder.mkdir()
        for name in HONEST:
            (folder / name).write_text(name)
    return tmp_path


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_what_an_honest_job_leaves_is_kept(output: Path) -> None:
    before = names(output)
    placing.clear(output, folds=2)
    assert names(output) == before


def test_scores_and_whatever_else_a_submission_left_are_removed(output: Path) -> None:
    before = names(output)
    for name in ("bagged_scores.csv", "fold_0/scores.csv", "fold_0/more.py", "notes"):
        (output / name).write_text("step,acc\nvalid,1.0\n")
    for name in ("fold_1/scores.csv/deep", "more/deep"):
        (output / name).mkdir(parents=True)
    placing.clear(output, folds=2)
    assert names(output) == before


def test_scores_replace_what_is_there(output: Path) -> None:
    for _ in range(2):  # a dispatcher that died in between does it again
        placing.place(output, ["first\n", "second\n"], "bagged\n")
    placed = {name: (output / name).read_text() for name in ("fold_0/scores.csv", "fold_1/scores.csv")}
    assert placed == {"fold_0/scores.csv": "first\n", "fold_1/scores.csv": "second\n"}
    assert (output / "bagged_scores.csv").read_text() == "bagged\n"
    assert (output / "fold_0" / "state.txt").read_text() == "scored"
    assert not [name for name in names(output) if "/." in name]
