"""Name what may befall a call on purpose."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto


class Mishap(Enum):
    NONE = auto()
    THROTTLED = auto()
    """It is refused: there are too many calls."""
    ANSWER_LOST = auto()
    """It is carried out, and the connection dropped without an answer."""


Meets = Callable[[str], Mishap]
"""Told the action of each call, it says what befalls this one."""


def nothing(action: str) -> Mishap:  # noqa: ARG001 (another's form)
    """Let every call be."""
    return Mishap.NONE
