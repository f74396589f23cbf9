"""An embedded database with its tables, copied: to make them anew takes longer than most tests."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from runner.store import Database, upgrade


def place(path: Path) -> str:
    """Put one there, as `upgrade` leaves it; gives its URL."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_filled())
    return f"sqlite:///{path}"


@cache
def _filled() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "event.db")
        database = Database(f"sqlite:///{path}")
        upgrade(database)
        database.close()  # which brings all of it into the one file
        return path.read_bytes()
