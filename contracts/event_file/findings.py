"""Collect the problems of one configuration file, each with its line."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

from contracts.errors import Problem

Loc = tuple[str | int, ...]
"""Where a value stands: keys and list positions from the outside in."""

Report = Callable[[Loc, str, str], None]
"""Takes a place, what is wrong there and what to do."""

IsWritten = Callable[[Loc], bool]
"""Whether the value at a place was written in the file, or is a default."""

_SHOWN = 60


class Findings:
    """The problems found in one file so far; `lines` says where each value stands.

    One fault is reported once: a value that has a problem, or lies in or around one that has, gets no second.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[Loc, int] = {}
        self.problems: list[Problem] = []
        self._places: list[Loc] = []

    def add(self, loc: Loc, message: str, remedy: str, *, line: int | None = None) -> None:
        """Report a problem at `loc`; without `line` that of the value, or of the section around it."""
        if self.is_faulty(loc):
            return
        self._places.append(loc)
        self.problems.append(Problem(self.path, line or self.line_of(loc), dotted(loc), message, remedy))

    def is_faulty(self, loc: Loc) -> bool:
        """Whether a problem was reported at `loc`, inside it or around it (the file as a whole aside)."""
        return any(place[: len(loc)] == loc[: len(place)] for place in self._places if place and loc)

    def line_of(self, loc: Loc) -> int | None:
        """The line of the value at `loc`, or of the nearest value around it that is written down."""
        for length in range(len(loc), 0, -1):
            if loc[:length] in self.lines:
                return self.lines[loc[:length]]
        return None


def dotted(loc: Loc) -> str:
    """Write a place as an organiser would: `infra.allowed_cidrs[0]`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{shown(part)}"
    return text.removeprefix(".")


def is_plain(text: str) -> bool:
    """Whether a text holds neither control characters nor halves of characters; line ends and tabs are fine."""
    return all(c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs") for c in text)


def shown(text: str) -> str:
    """Make a stranger's text fit to be printed in a message: one line, no control characters, not too long."""
    plain = "".join(c if c.isprintable() else "?" for c in text)
    return plain if len(plain) <= _SHOWN else plain[: _SHOWN - 3] + "..."
