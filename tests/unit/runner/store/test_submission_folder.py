"""A submission's folder is taken only where it holds code, under a name that is safe."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contracts.errors import SubmissionInvalid
from runner.store import submission_folder
from runner.store.submission_folder import check_folder, check_name, staged


@pytest.mark.parametrize("name", ["a", "starting_kit", "2nd-try", "_x", "x" * 20])
def test_a_name_of_letters_and_digits_is_taken(name: str) -> None:
    check_name(name, "submission")


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", ".", ".x", "with space", "x" * 21, "-x", "näme", "a\n", "a\0b", "a\\b", "a:b", "a;b"]
)
def test_a_name_that_could_not_be_a_folders_is_refused(name: str) -> None:
    with pytest.raises(SubmissionInvalid, match="cannot be the name of a submission"):
        check_name(name, "submission")


def test_code_is_copied_and_what_a_run_left_is_not(tmp_path: Path) -> None:
    source = tmp_path / "mine"
    for name in (
        "estimator.py",
        "helpers/tools.py",
        "training_output/fold_0/scores.csv",
        "__pycache__/x.pyc",
        ".git/x",
    ):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    with staged(source, tmp_path / "submissions") as copy:
        found = sorted(str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file())
    assert found == ["estimator.py", "helpers/tools.py"]
    assert list((tmp_path / "submissions").iterdir()) == []


def test_a_missing_folder_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SubmissionInvalid, match="does not exist"):
        check_folder(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(SubmissionInvalid, match="does not exist"):
        check_folder(tmp_path / "file")
    (tmp_path / "empty" / ".git").mkdir(parents=True)
    with pytest.raises(SubmissionInvalid, match="holds no file"):
        check_folder(tmp_path / "empty")


def test_links_and_pipes_are_refused(tmp_path: Path) -> None:
    for kind, make in (
        ("link", lambda path: path.symlink_to("/etc/hostname")),
        ("linked_folder", lambda path: path.symlink_to("/etc")),
        ("pipe", os.mkfifo),
    ):
        source = tmp_path / kind
        source.mkdir()
        (source / "estimator.py").touch()
        make(source / "other")
        with pytest.raises(SubmissionInvalid, match="not a regular file"):
            check_folder(source)


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.bin").write_bytes(b"x" * 2_000)
    monkeypatch.setattr(submission_folder, "_MAX_BYTES", 1_000)
    with pytest.raises(SubmissionInvalid, match="too large"):
        check_folder(tmp_path)
