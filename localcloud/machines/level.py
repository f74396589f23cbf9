"""Name the levels of isolation an emulated machine can have."""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """How much of a machine of its own an emulated machine is; strongest first."""

    FULL = "full"
    USER = "user"
    PLAIN = "plain"
