"""A command finds its event and its local cloud wherever in the deployment it is typed."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import RampartError
from localcloud import state
from localcloud.__main__ import DEFAULT_FOLDER
from tasks.events import open_event

Printed = pytest.CaptureFixture[str]
EVENT = f"""
ramp: {{problem_name: iris, event_name: iris, kit_dir: kit}}
worker: {{worker_type: conda, env: venv, venv_dir: {sys.prefix}}}
"""


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "problem.py").touch()
    (tmp_path / "kit" / "submissions" / "starting_kit").mkdir(parents=True)
    (tmp_path / "events" / "iris").mkdir(parents=True)
    (tmp_path / "events" / "iris" / "config.yml").write_text(EVENT)
    monkeypatch.chdir(tmp_path / "events" / "iris")
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "RAMPART_"))}
    monkeypatch.setattr(os, "environ", mine)
    return tmp_path


@pytest.fixture
def cloud(deployment: Path) -> Iterator[Path]:
    """What a running local cloud keeps in its folder; gives where a rehearsal's state lies."""
    folder = deployment / DEFAULT_FOLDER
    claim = state.Claim(folder)
    rehearsal = deployment / "rehearsal"
    state.write(folder, state.State(1, "plain", {"RAMPART_STATE_DIR": str(rehearsal)}, "http://127.0.0.1:1", ""))
    yield rehearsal
    claim.release()


def test_the_local_cloud_of_a_parent_folder_is_found(cloud: Path, capsys: Printed) -> None:
    event = open_event("iris", local=True)
    assert event.state_dir == cloud / "iris"
    assert capsys.readouterr().err == ""


def test_without_a_local_cloud_the_hint_says_how_to_start_one(deployment: Path) -> None:
    with pytest.raises(RampartError, match="no local cloud runs here") as caught:
        open_event("iris", local=True)
    assert "invoke local-cloud" in caught.value.hint
    assert open_event("iris").state_dir == deployment / ".rampart" / "iris"


def test_a_rehearsal_on_a_database_of_the_events_own_is_warned_of(
    deployment: Path, cloud: Path, capsys: Printed
) -> None:
    with (deployment / "events" / "iris" / "config.yml").open("a") as file:
        file.write("database_url: postgresql://ramp:sesame@127.0.0.1/ramp\n")
    assert open_event("iris", local=True).state_root == cloud
    warned = capsys.readouterr().err
    assert "works on that very queue" in warned
    assert "sesame" not in warned
