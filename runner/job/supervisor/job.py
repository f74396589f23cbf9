"""Say what is to be run, and what it may take."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from runner.job.supervisor.accounts import Account
from runner.job.supervisor.view import View

SPARE_TASKS = 64
"""How many tasks above its limit a job is let have until it is seen and ended: a hard stop, so that none gets far."""


class Limits(NamedTuple):
    """What a job may take; None means all of its host's."""

    timeout_s: float
    memory_bytes: int | None = None
    tasks: int | None = None
    cpus: float | None = None
    file_bytes: int | None = None
    disk_bytes: int | None = None


class Job(NamedTuple):
    """One job; `account` is whom it runs as, None where the supervisor has no right to choose."""

    folder: Path
    argv: tuple[str, ...]
    cwd: str
    environment: dict[str, str]
    view: View
    limits: Limits
    account: Account | None


class CannotContain(Exception):
    """This host cannot contain a job this way; the text says why in one clause."""
