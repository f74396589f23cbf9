"""How other processes find a running cloud."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from contracts.errors import AskedWrongly
from localcloud import state

STATE = state.State(7, "plain", {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "http://127.0.0.1:2", "secret")


def test_a_folder_is_held_by_one_cloud_at_a_time(tmp_path: Path) -> None:
    first = state.Claim(tmp_path)
    with pytest.raises(AskedWrongly, match="already running"):
        state.Claim(tmp_path)
    first.release()
    state.Claim(tmp_path).release()


def test_a_running_clouds_state_is_found_until_it_ends(tmp_path: Path) -> None:
    claim = state.Claim(tmp_path)
    assert state.read(tmp_path) is None
    state.write(tmp_path, STATE)
    assert state.read(tmp_path) == STATE
    claim.release()
    assert state.read(tmp_path) is None


def test_what_a_killed_cloud_left_behind_does_not_count(tmp_path: Path) -> None:
    state.Claim(tmp_path).release()
    state.write(tmp_path, STATE)
    assert state.read(tmp_path) is None


def test_the_state_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    state.write(tmp_path, STATE)
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


def test_a_folder_with_other_things_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "machines").mkdir()
    with pytest.raises(AskedWrongly, match="holds other things"):
        state.Claim(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["machines"]


def test_the_control_token_is_not_shown() -> None:
    assert "secret" not in repr(STATE)
