"""What is kept of lost runs is found by its place alone."""

from __future__ import annotations

from pathlib import Path

from contracts.work import Work
from runner.carrying import salvaged


def test_only_folders_named_as_folds_count(tmp_path: Path) -> None:
    for name in ("fold_10", "fold_2", "fold_02", "fold_x", ".incoming.x", "fold_1234567"):
        (tmp_path / name).mkdir()
    assert salvaged.folds_in(tmp_path) == (2, 10)


def test_a_folder_that_was_never_made_holds_none(tmp_path: Path) -> None:
    assert salvaged.folds_in(tmp_path / "none") == ()


def test_what_is_forgotten_is_gone_for_all_generations_of_the_submission_alone(tmp_path: Path) -> None:
    places = [salvaged.folder_of(tmp_path, 7, generation=number) for number in (1, 2)]
    other = salvaged.folder_of(tmp_path, 8, generation=1)
    for place in (*places, other):
        (place / "fold_0").mkdir(parents=True)
    work = Work(7, "iris", "team", "first", 3, tmp_path, tmp_path, tmp_path, 60.0, salvage_dir=places[1])
    salvaged.forget(work)
    salvaged.forget(work)
    assert [salvaged.folds_in(place) for place in (*places, other)] == [(), (), (0,)]
