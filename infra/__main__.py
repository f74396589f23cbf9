"""Export what the program declares for the event of the running stack."""

from __future__ import annotations

import os
from pathlib import Path

import pulumi

from contracts.errors import RampartError
from contracts.event_file import load_event
from infra import program

REPOSITORY = Path(__file__).resolve().parent.parent


def main() -> None:
    """Raises RunError, which Pulumi prints without a traceback, for what is wrong with the event."""
    default = REPOSITORY / "events" / pulumi.get_stack() / "config.yml"
    path = Path(os.environ.get("RAMPART_EVENT_FILE", default))
    config = os.environ.get("RAMPART_DEPLOYMENT_CONFIG")
    try:
        event = load_event(path, environ=os.environ, deployment_config=Path(config) if config else None)
        outputs = program.build(event)
    except RampartError as error:
        raise pulumi.RunError(str(error)) from error
    for name, value in outputs.items():
        pulumi.export(name, value)


if __name__ == "__main__":
    main()
