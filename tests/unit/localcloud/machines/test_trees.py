"""Copies and removals of machine folders."""

from __future__ import annotations

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
