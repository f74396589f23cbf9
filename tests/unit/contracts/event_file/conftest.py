"""A deployment folder with a kit, to put event files in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from contracts.event import EventConfig
from contracts.event_file import load_event

Load = Callable[..., EventConfig]


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    """RAMP's layout with the kit `iris`, a folder without problem.py, and a file where a folder may be expected."""
    kit = tmp_path / "ramp-kits" / "iris"
    (kit / "submissions" / "starting_kit").mkdir(parents=True)
    (kit / "problem.py").touch()
    (tmp_path / "empty-kit").mkdir()
    (tmp_path / "config-of-nothing").touch()
    (tmp_path / "events" / "iris").mkdir(parents=True)
    return tmp_path


@pytest.fixture
def event_path(deployment: Path) -> Path:
    """Where the event file of `iris` lies."""
    return deployment / "events" / "iris" / "config.yml"


@pytest.fixture
def load(deployment: Path, event_path: Path) -> Load:
    """Write a text as event file and load it, with nothing in the environment but a home folder and `environ`."""

    def write_and_load(
        text: str, environ: Mapping[str, str] | None = None, deployment_config: Path | None = None
    ) -> EventConfig:
        event_path.write_text(text, encoding="utf-8")
        home = {"HOME": str(deployment / "home")}
        return load_event(event_path, environ=home | dict(environ or {}), deployment_config=deployment_config)

    return write_and_load
