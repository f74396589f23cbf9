"""A kit is described by what its problem.py declares, and a broken one is told in one line."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from contracts.errors import KitInvalid
from runner.kit import KitDescription, ScoreType, describe_kit

IRIS = Path(__file__).parents[3] / "examples" / "iris"

_KIT = """
print("a kit may print", flush=True)
problem_title = "A title"

class Luck:
    name, is_lower_the_better, minimum, maximum, precision = "luck", True, 0, float("inf"), 4

score_types = [Luck()]

def get_train_data(path):
    return [1], [1]

def get_cv(X, y):
    return iter([([0], [0])] * 3)
"""


def kit(folder: Path, problem: str) -> Path:
    (folder / "problem.py").write_text(problem)
    return folder


def test_the_example_challenge_is_described() -> None:
    described = describe_kit(IRIS)
    assert (described.title, described.folds) == ("Iris classification", 2)
    assert [one.name for one in described.score_types] == ["acc", "error", "nll"]
    assert described.score_types[2] == ScoreType("nll", True, 0.0, math.inf, 3)


def test_what_a_kit_prints_does_not_disturb(tmp_path: Path) -> None:
    expected = KitDescription("A title", (ScoreType("luck", True, 0.0, math.inf, 4),), 3)
    assert describe_kit(kit(tmp_path, _KIT)) == expected


def test_a_missing_kit_and_one_without_problem_py_are_refused(tmp_path: Path) -> None:
    with pytest.raises(KitInvalid, match="does not exist"):
        describe_kit(tmp_path / "missing")
    with pytest.raises(KitInvalid, match=r"has no problem\.py"):
        describe_kit(tmp_path)


def test_the_last_line_of_a_failing_problem_py_is_told(tmp_path: Path) -> None:
    with pytest.raises(KitInvalid, match=r"cannot be used: ModuleNotFoundError: No module named 'a_package"):
        describe_kit(kit(tmp_path, "import a_package_nobody_has"))


@pytest.mark.parametrize(
    ("score_types", "folds", "message"),
    [(["luck", "luck"], 2, "different names"), ([], 2, "different names"), (["luck"], 0, "gives no fold")],
)
def test_a_kit_that_could_not_rank_anybody_is_refused(
    score_types: list[str], folds: int, message: str, tmp_path: Path
) -> None:
    one = {"is_lower_the_better": True, "minimum": 0, "maximum": 1, "precision": 2}
    answer = {"title": "", "folds": folds, "score_types": [one | {"name": name} for name in score_types]}
    python = tmp_path / "python"  # answers at once what a kit's own Python would after its imports
    python.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    python.chmod(0o700)
    with pytest.raises(KitInvalid, match=message):
        describe_kit(kit(tmp_path, ""), python=str(python))


def test_a_python_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(KitInvalid, match="/nowhere/python cannot be run"):
        describe_kit(kit(tmp_path, _KIT), python="/nowhere/python")
