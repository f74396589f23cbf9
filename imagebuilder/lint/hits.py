"""Hold what a check finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a check finds something; `line` is None where the document as a whole is meant."""

    line: int | None
    message: str
    remedy: str
