"""The command that moves an event to another database: db-copy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tasks.command import EVENT_HELP, LOCAL_HELP, command

if TYPE_CHECKING:
    from pydantic import SecretStr

_SHOWN = {"submissions": "submissions", "rampart_runs": "runs", "teams": "teams"}


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | {"to": "postgresql://USER@HOST/DATABASE without the password (PGPASSWORD, ~/.pgpass), or a config.yml"}
)
def db_copy(to: str, event: str | None = None, config: str | None = None, local: bool = False) -> None:
    """Copy the event with all its history from the embedded SQLite database into PostgreSQL.

    Stop train-loop first. The SQLite file stays as it is; the event file says which database counts.

    Example: invoke db-copy --event iris --to postgresql://rampart@db.example.org/iris
    """
    from runner.app import copy_database
    from tasks import console
    from tasks.events import open_event

    target, line = _target(to)
    opened = open_event(event, config=config, local=local)
    counts = copy_database(opened, target)
    told = ", ".join(f"{name} {counts[table]}" for table, name in _SHOWN.items())
    console.result(f"{opened.name} is copied: {told}; {sum(counts.values())} rows in all")
    console.result(f"from now on, write in {opened.path}: {line}")
    console.next_step(f"invoke status --event {opened.name}")


def _target(to: str) -> tuple[SecretStr, str]:
    """Give the URL of the database, and what the event file must say to mean it; that holds no secret."""
    from pydantic import SecretStr

    from contracts.errors import AskedWrongly
    from contracts.event_file import load_database

    if to.endswith((".yml", ".yaml")):
        return load_database(Path(to), environ=os.environ), f"the same database as {to} does"
    try:
        parts = urlsplit(to)
        holds_secret = parts.password is not None or "password" in parse_qs(parts.query)
    except ValueError as error:
        raise AskedWrongly("--to cannot be read", hint="--to postgresql://USER@HOST/DATABASE") from error
    if holds_secret:
        hint = "leave it out and set PGPASSWORD, or write ~/.pgpass, or name a config.yml with --to"
        raise AskedWrongly("everybody on this machine can read a password in a command", hint=hint)
    return SecretStr(to), f'database_url: "{to}"'
