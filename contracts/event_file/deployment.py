"""Find the deployment an event belongs to: the folder its paths start from, which holds RAMP's `config.yml`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from contracts.event_file import yaml_tree
from contracts.event_file.findings import Findings
from contracts.event_file.yaml_tree import YamlFile

KEYS = ("sqlalchemy", "database_url")
"""What we read of the deployment's configuration; its section `flask` and others are the frontend's."""

_MARKS = re.compile(r"^(sqlalchemy|flask|database_url)[ \t]*:", re.MULTILINE)


@dataclass(frozen=True)
class Deployment:
    """The folder relative paths start from; `config` is None where the event stands alone."""

    folder: Path
    config: YamlFile | None = None


def locate(event: YamlFile, environ: Mapping[str, str], *, given: Path | None) -> Deployment:
    """Find the deployment of an event file: the configuration `given`, else the nearest one upwards, else by layout.

    `ramp.deployment_dir`, which some of RAMP's templates hold, names the folder outright.
    """
    path = given or _upwards(event.path)
    config = yaml_tree.read(path, environ, only=KEYS) if path else None
    ramp = event.data.get("ramp")
    named = ramp.get("deployment_dir") if isinstance(ramp, dict) else None
    if isinstance(named, str):
        return Deployment(absolute(named, event.path.parent, environ), config)
    return Deployment(path.parent if path else _by_layout(event.path), config)


def absolute(text: str | Path, base: Path, environ: Mapping[str, str]) -> Path:
    """Give a path as absolute: `~` is the home folder, a relative one starts from `base`; links are kept."""
    path = Path(text)
    if path.parts[:1] == ("~",):
        path = Path(environ.get("HOME") or Path.home()).joinpath(*path.parts[1:])
    return Path(os.path.normpath(base / path))


def _upwards(event: Path) -> Path | None:
    for folder in event.parents:
        path = folder / "config.yml"
        if path != event and _is_deployment(path):
            return path
    return None


def _is_deployment(path: Path) -> bool:
    """Told by its text alone: a stranger's `config.yml` further up is no concern of ours, a broken one of RAMP's is."""
    text = yaml_tree.text_of(path, Findings(path))
    return text is not None and _MARKS.search(text) is not None


def _by_layout(event: Path) -> Path:
    events = event.parent.parent
    return events.parent if events.name == "events" else event.parent
