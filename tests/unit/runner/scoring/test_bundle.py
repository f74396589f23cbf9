"""A job is given the kit's own files and nothing with labels."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest

from contracts.errors import KitInvalid
from runner.scoring import bundle
from runner.scoring.bundle import KitFolders


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)


@pytest.fixture
def kit(tmp_path: Path) -> KitFolders:
    folder = tmp_path / "kit"
    write(folder, "problem.py", "external_imports/utils/data/table.py", "data/test.csv", "submissions/a/estimator.py")
    write(folder, "notebook.ipynb", ".git/config", ".env", "__pycache__/problem.pyc", "private/data/test.csv")
    return KitFolders(folder, folder / "private")


def names(kit: KitFolders) -> list[str]:
    return [path.relative_to(kit.kit).as_posix() for path in kit.files()]


def data(file: BinaryIO) -> None:
    file.write(b"the data")


def sent(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_data_submissions_notebooks_and_hidden_files_stay_here(kit: KitFolders) -> None:
    assert names(kit) == ["external_imports/utils/data/table.py", "problem.py"]


def test_a_link_in_the_kit_is_refused(kit: KitFolders) -> None:
    (kit.kit / "helper.py").symlink_to("/etc/passwd")
    with pytest.raises(KitInvalid, match=r"helper\.py in the kit .* is not a regular file"):
        kit.files()


def test_a_kit_that_is_too_large_to_be_sent_is_refused(kit: KitFolders) -> None:
    with (kit.kit / "weights.bin").open("wb") as file:
        file.truncate(bundle.MAX_BYTES)
    with pytest.raises(KitInvalid, match="too large to be sent"):
        kit.files()


def test_the_stamp_changes_with_the_kit_and_with_its_data_and_not_with_submissions(kit: KitFolders) -> None:
    before = kit.stamp()
    write(kit.kit, "submissions/b/estimator.py")
    assert kit.stamp() == before
    os.utime(kit.kit / "problem.py", ns=(0, 0))
    changed = kit.stamp()
    assert changed != before
    write(kit.data, "data/train.csv")
    assert kit.stamp() not in (before, changed)


def test_a_kit_that_is_gone_is_the_organisers_error(tmp_path: Path) -> None:
    with pytest.raises(KitInvalid, match="cannot be looked at"):
        KitFolders(tmp_path / "none", tmp_path).stamp()


def test_a_bundle_is_the_kit_as_it_was_with_the_data_and_nobody_else_may_read_it(
    kit: KitFolders, tmp_path: Path
) -> None:
    kept = bundle.keep(tmp_path / "place", kit, {"external_imports/utils/data/table.py"}, data)
    assert sent(kept) == {"kit/problem.py": b"problem.py", "blind/bundle": b"the data"}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_the_same_content_is_kept_once(kit: KitFolders, tmp_path: Path) -> None:
    first = bundle.keep(tmp_path / "place", kit, (), data)
    assert bundle.keep(tmp_path / "place", kit, (), data) == first
    write(kit.kit, "helper.py")
    other = bundle.keep(tmp_path / "place", kit, (), data)
    assert sorted(first.parent.iterdir()) == sorted([first, other])


def test_what_nobody_used_for_a_day_is_removed(kit: KitFolders, tmp_path: Path) -> None:
    old = bundle.keep(tmp_path / "place", kit, (), data)
    os.utime(old, (0, 0))
    write(kit.kit, "helper.py")
    new = bundle.keep(tmp_path / "place", kit, (), data)
    assert list(new.parent.iterdir()) == [new]


def test_data_that_cannot_be_packed_leave_nothing(kit: KitFolders, tmp_path: Path) -> None:
    def broken(file: BinaryIO) -> None:
        file.write(b"the da")
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        bundle.keep(tmp_path / "place", kit, (), broken)
    assert list((tmp_path / "place").iterdir()) == []
