"""A kit's archive holds what a run needs, nothing else, and is always the same."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from contracts.errors import KitInvalid
from imagebuilder import kit


def names(packed: kit.PackedKit) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(packed.archive)) as archive:
        return archive.getnames()


def test_only_problem_modules_data_requirements_and_the_one_submission_go_along(kit_dir: Path, tmp_path: Path) -> None:
    packed = kit.pack(kit_dir, data_dir=tmp_path / "none", submission="starting_kit")
    assert names(packed) == [
        "data/train.csv",
        "helper.py",
        "problem.py",
        "requirements.txt",
        "submissions/starting_kit/estimator.py",
    ]


def test_times_owners_and_modes_do_not_change_the_archive(kit_dir: Path, tmp_path: Path) -> None:
    before = kit.pack(kit_dir, data_dir=tmp_path, submission="starting_kit")
    os.utime(kit_dir / "problem.py", (1, 1))
    (kit_dir / "helper.py").chmod(0o700)
    assert kit.pack(kit_dir, data_dir=tmp_path, submission="starting_kit") == before


@pytest.mark.parametrize("data_dir", ["private", "private/data"])
def test_the_events_own_data_take_the_place_of_the_kits(kit_dir: Path, tmp_path: Path, data_dir: str) -> None:
    (tmp_path / "private" / "data").mkdir(parents=True)
    (tmp_path / "private" / "data" / "all.csv").write_text("1\n")
    found = names(kit.pack(kit_dir, data_dir=tmp_path / data_dir, submission="starting_kit"))
    assert [name for name in found if name.startswith("data")] == ["data/all.csv"]


def test_a_link_out_of_the_kit_is_left_out(kit_dir: Path, tmp_path: Path) -> None:
    (kit_dir / "data" / "passwd").symlink_to("/etc/passwd")
    assert "data/passwd" not in names(kit.pack(kit_dir, data_dir=tmp_path, submission="starting_kit"))


def test_a_kit_without_problem_py_is_refused(kit_dir: Path, tmp_path: Path) -> None:
    (kit_dir / "problem.py").unlink()
    with pytest.raises(KitInvalid, match=r"no problem\.py"):
        kit.pack(kit_dir, data_dir=tmp_path, submission="starting_kit")


def test_a_kit_without_the_quick_test_submission_is_refused(kit_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(KitInvalid, match="quick_test_submission"):
        kit.pack(kit_dir, data_dir=tmp_path, submission="sample")


def test_a_huge_kit_is_refused_without_being_read(kit_dir: Path, tmp_path: Path) -> None:
    with (kit_dir / "data" / "huge.bin").open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(KitInvalid, match="MiB"):
        kit.pack(kit_dir, data_dir=tmp_path, submission="starting_kit")


def test_every_list_of_requirements_goes_along(kit_dir: Path, tmp_path: Path) -> None:
    lists = ["ami_environment.yml", "environment.yml", "extra_libraries.txt", "requirements.txt"]
    for name in lists:
        (kit_dir / name).write_text("")
    found = names(kit.pack(kit_dir, data_dir=tmp_path, submission="starting_kit"))
    assert [name for name in found if name in lists] == lists
