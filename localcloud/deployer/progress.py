"""What a deployment did, resource by resource."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

REHEARSAL = (
    "a rehearsal of the program on the local cloud, not Pulumi's engine (a changed resource is replaced, where AWS "
    "might update it)"
)


class Action(StrEnum):
    """What happened to one resource."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"
    DELETED = "deleted"
    RETAINED = "retained"  # no longer declared, and left in the cloud as the program asked
    FORGOTTEN = "forgotten"  # it vanished from the cloud


@dataclass(frozen=True, slots=True)
class Change:
    """One resource dealt with, or in a preview to be dealt with. `name` is the logical one, `type` Pulumi's token."""

    name: str
    type: str
    action: Action
    duration_s: float
    is_planned: bool = False

    def __str__(self) -> str:
        if self.is_planned:
            return f"would be {self.action:<9} {self.name} ({self.type})"
        return f"{self.action:<9} {self.name} ({self.type}, {self.duration_s:.2f} s)"


Watcher = Callable[[Change], None]
"""Told of each change as it happens, from the deployment's own thread."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The result of an operation; resources by logical name, in the order they were dealt with.

    After a preview nothing of it has happened, and outputs that nobody can know yet are `UNKNOWN`.
    """

    outputs: dict[str, Any]
    created: tuple[str, ...]
    unchanged: tuple[str, ...]
    replaced: tuple[str, ...]
    deleted: tuple[str, ...]
    retained: tuple[str, ...]
    forgotten: tuple[str, ...]
    changes: tuple[Change, ...]
    duration_s: float

    @property
    def changed_nothing(self) -> bool:
        """Whether the cloud was already as declared."""
        return all(change.action is Action.UNCHANGED for change in self.changes)

    @property
    def summary(self) -> str:
        """Give one line for a person."""
        counts = Counter(change.action for change in self.changes)
        done = ", ".join(f"{counts[action]} {action}" for action in _TOLD if counts[action]) or "nothing to do"
        would = "would be " if not self.changed_nothing and self.changes[0].is_planned else ""
        return f"{would}{done}, in {self.duration_s:.1f} s: {REHEARSAL}"


_TOLD = (*(action for action in Action if action is not Action.UNCHANGED), Action.UNCHANGED)


def summarise(changes: list[Change], outputs: dict[str, Any], duration_s: float) -> Deployment:
    """Sort changes by what was done."""

    def names(action: Action) -> tuple[str, ...]:
        return tuple(change.name for change in changes if change.action is action)

    return Deployment(
        outputs=outputs,
        created=names(Action.CREATED),
        unchanged=names(Action.UNCHANGED),
        replaced=names(Action.REPLACED),
        deleted=names(Action.DELETED),
        retained=names(Action.RETAINED),
        forgotten=names(Action.FORGOTTEN),
        changes=tuple(changes),
        duration_s=duration_s,
    )
