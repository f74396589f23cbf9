"""Make a deployment with a full queue, in a temporary folder."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.event import EventConfig
from contracts.event_file import load_event
from runner.app import open_catalogue
from runner.kit import describe_kit

REPOSITORY = Path(__file__).resolve().parent.parent
TEAM = "blue"


@contextmanager
def deployment_folder() -> Iterator[Path]:
    """A folder with the example kit; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="rampart-bench-") as name:
        folder = Path(name)
        without = shutil.ignore_patterns("__pycache__", "training_output")
        shutil.copytree(REPOSITORY / "examples" / "iris", folder / "examples" / "iris", ignore=without)
        yield folder


def opened(folder: Path, text: str) -> EventConfig:
    """Write an event file and load it with this process's environment."""
    path = folder / "events" / "iris" / "config.yml"
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return load_event(path, environ=os.environ)


def fill_queue(event: EventConfig, source: Path, count: int, *, prefix: str = "short") -> None:
    """Submit the same code `count` times, under names that begin with `prefix`."""
    catalogue = open_catalogue(event)
    catalogue.add_event(event, describe_kit(event.ramp.kit_dir, data_dir=event.ramp.data_dir, python=sys.executable))
    catalogue.add_team(event.name, TEAM)
    for number in range(count):
        catalogue.add_submission(event, TEAM, f"{prefix}_{number}", source)
