"""Copies and removals of machine folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from localcloud.machines import trees


def test_a_copy_keeps_links_as_links(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "link").symlink_to("/nowhere")
    trees.copy(source, tmp_path / "target")
    assert (tmp_path / "target" / "link").readlink() == Path("/nowhere")


def test_a_failed_copy_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="copying"):
        trees.copy(tmp_path / "missing", tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.fixture
def copying_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let `cp` end with a complaint after it has done its work."""

    def put_in_place(complaint: str) -> None:
        tool = tmp_path / "bin" / "cp"
        tool.parent.mkdir()
        tool.write_text(f'#!/bin/sh\n{shutil.which("cp")} "$@"\necho "{complaint}" >&2\nexit 1\n')
        tool.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")

    return put_in_place


@pytest.mark.parametrize(
    "complaint",
    [
        "cp: cannot stat 'source/gone': No such file or directory",
        "cp: skipping file 'source/new', as it was replaced while being copied",
    ],
)
def test_a_file_that_goes_while_it_is_copied_is_left_out(
    tmp_path: Path, copying_says: Callable[[str], None], complaint: str
) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "kept").touch()
    copying_says(complaint)
    trees.copy(tmp_path / "source", tmp_path / "target")
    assert (tmp_path / "target" / "kept").exists()


def test_a_full_disk_is_not_taken_for_a_file_that_went(tmp_path: Path, copying_says: Callable[[str], None]) -> None:
    (tmp_path / "source").mkdir()
    copying_says("cp: error writing 'target': No space left on device")
    with pytest.raises(OSError, match="No space left"):
        trees.copy(tmp_path / "source", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_folder_nobody_may_enter_is_removed(tmp_path: Path) -> None:
    closed = tmp_path / "tree" / "closed"
    (closed / "inner").mkdir(parents=True)
    (closed / "inner" / "file").touch()
    closed.chmod(0)
    trees.remove(tmp_path / "tree")
    assert not (tmp_path / "tree").exists()


def test_a_removal_does_not_follow_links(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o500)
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "link").symlink_to(kept)
    trees.remove(tmp_path / "tree")
    assert kept.stat().st_mode & 0o777 == 0o500


def test_a_path_is_replaced_in_files_of_any_kind_and_in_links(tmp_path: Path) -> None:
    (tmp_path / "layout.json").write_text('{"kit_dir": "/room/aaa/kit"}')
    (tmp_path / "binary").write_bytes(b"\x00\xff/room/aaa/lib\x00")
    (tmp_path / "link").symlink_to("/room/aaa/kit")
    trees.replace_path(tmp_path, "/room/aaa", "/room/bbb")
    assert (tmp_path / "layout.json").read_text() == '{"kit_dir": "/room/bbb/kit"}'
    assert (tmp_path / "binary").read_bytes() == b"\x00\xff/room/bbb/lib\x00"
    assert (tmp_path / "link").readlink() == Path("/room/bbb/kit")


def test_paths_of_different_length_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="length"):
        trees.replace_path(tmp_path, "/a", "/bb")
