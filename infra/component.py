"""What every component of the program has in common: a kind, an owner, children that belong to it."""

from __future__ import annotations

import pulumi

from infra import naming
from infra.tags import Labels


class Component(pulumi.ComponentResource):
    """A component resource of the event; its children are named, tagged and parented through it.

    A subclass declares its children in `__init__` and ends with `register_outputs`.
    """

    def __init__(self, kind: str, name: str, labels: Labels, opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(f"rampart:infra:{kind}", name, None, opts)
        self.labels = labels
        self.inside = pulumi.ResourceOptions(parent=self)

    def called(self, purpose: str) -> str:
        """Name a child by what it is for."""
        return naming.logical_name(self.labels.event, purpose)

    def tags(self, purpose: str) -> dict[str, str]:
        """Tag a child that is named by `purpose`."""
        return self.labels.resource(self.called(purpose))
