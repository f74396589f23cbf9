"""What a deployment did, resource by resource."""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class Change:
    """One resource dealt with. `name` is the logical one, `type` Pulumi's token."""

    name: str
    type: str
    action: Action
    duration_s: float

    def __str__(self) -> str:
        return f"{self.action:<9} {self.name} ({self.type}, {self.duration_s:.2f} s)"


Watcher = Callable[[Change], None]
"""Told of each change as it happens, from the deployment's own thread."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """The result of `up` or `destroy`; resources by logical name, in the order they were dealt with."""

    outputs: dict[str, Any]
    created: tuple[str, ...]
    unchanged: tuple[str, ...]
    replaced: tuple[str, ...]
    deleted: tuple[str, ...]
    retained: tuple[str, ...]
    duration_s: float

    @property
    def changed_nothing(self) -> bool:
        """Whether the cloud was already as declared."""
        return not (self.created or self.replaced or self.deleted or self.retained)

    @property
    def summary(self) -> str:
        """Give one line for a person."""
        counts = {
            Action.CREATED: len(self.created),
            Action.REPLACED: len(self.replaced),
            Action.DELETED: len(self.deleted),
            Action.RETAINED: len(self.retained),
            Action.UNCHANGED: len(self.unchanged),
        }
        done = ", ".join(f"{count} {action}" for action, count in counts.items() if count) or "nothing to do"
        return f"{done}, in {self.duration_s:.1f} s: {REHEARSAL}"


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
        duration_s=duration_s,
    )
