"""The whole log of a build is kept, and a machine that cannot keep it does not end the build."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from imagebuilder.building.kept_log import KeptLog


def test_lines_are_in_the_file_as_soon_as_they_are_written_and_for_their_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "build.log"
    with KeptLog(path) as log:
        log.write(["one", "zwei \udc80 ü"])
        assert path.read_text(encoding="utf-8") == "one\nzwei \\udc80 ü\n"
        log.write(["three"])
    assert path.read_text(encoding="utf-8").splitlines()[-1] == "three"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert log.trouble == ""


def test_a_build_that_said_nothing_leaves_no_file(tmp_path: Path) -> None:
    with KeptLog(tmp_path / "build.log") as log:
        log.write([])
        assert not log.is_kept
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told_and_nothing_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with KeptLog(tmp_path / "file" / "build.log") as log:
        log.write(["one"])
    assert "Not a directory" in log.trouble or "File exists" in log.trouble


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_ends_the_keeping_and_not_the_build() -> None:
    with KeptLog(Path("/dev/full")) as log:
        log.write(["one"])
        log.write(["two"])
    assert "No space left on device" in log.trouble
