"""What a deployment did, resource by resource."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

REHEARSAL = (
    "a rehearsal of the program on the local cloud, not Pulumi's engine: a changed resource is replaced where AWS "
    "might update it, and there is no preview, refresh or policy check"
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
    note: str = REHEARSAL

    @property
    def changed_nothing(self) -> bool:
        """Whether the cloud was already as declared."""
        return not (self.created or self.replaced or self.deleted or self.retained)


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
