"""Find the values of the secrets an event declares, or tell that there is none."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import yaml

from contracts.event import EventConfig
from tasks import console

_PROJECT = "rampart"


def from_environment(event: EventConfig, environ: Mapping[str, str]) -> dict[str, str]:
    """Give what `pulumi.Config` is to hold in a rehearsal, by key: what the variables RAMPART_SECRET_NAME say."""
    return {
        f"secret-{name}": environ[variable] for name in event.infra.secrets if environ.get(variable := _variable(name))
    }


def warn_of_missing(event: EventConfig, *, local: bool, stack_file: Path) -> None:
    """Say which declared secrets have no value; `stack_file` is where Pulumi keeps them, encrypted."""
    given = set(from_environment(event, os.environ)) if local else _in_stack_file(stack_file)
    for name in event.infra.secrets:
        if f"secret-{name}" not in given:
            set_it = f"pulumi config set --secret secret-{name} --stack {event.name}"
            how = f"export {_variable(name)}=..." if local else set_it
            console.say(f"warning: the secret {name} has no value, builds that read it fail: {how}", style="yellow")


def _variable(name: str) -> str:
    return f"RAMPART_SECRET_{name.upper().replace('-', '_')}"


def _in_stack_file(path: Path) -> set[str]:
    """Give the keys of the project's configuration; what else is wrong with the file, Pulumi tells."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {key.removeprefix(f"{_PROJECT}:") for key in content["config"]}
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return set()
