"""One change that a deployment makes, or in a preview would make."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planned:
    """What becomes of a resource: `created`, `updated`, `replaced`, `deleted`, `retained`, `forgotten`, `imported`."""

    action: str
    name: str
    type: str

    def __str__(self) -> str:
        return f"{self.action:<9} {self.name} ({self.type})"
