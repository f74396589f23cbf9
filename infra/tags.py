"""Tag every resource with the event and the stack it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

EVENT = "rampart:event"
STACK = "rampart:stack"
STATUS = "rampart:status"
MANAGED_BY = "rampart:managed-by"


@dataclass(frozen=True, slots=True)
class Labels:
    """Whose a resource is."""

    event: str
    stack: str

    def resource(self, name: str) -> dict[str, str]:
        """Tags of a resource that Pulumi manages."""
        return {"Name": name, EVENT: self.event, STACK: self.stack, MANAGED_BY: "pulumi"}

    def instance(self, name: str) -> dict[str, str]:
        """Tags of what is launched from a declared resource: not managed by Pulumi, but of the same owner."""
        return {"Name": name, EVENT: self.event, STACK: self.stack}

    def tested_image(self) -> dict[str, str]:
        """Tags of an AMI; Image Builder sets them when it distributes the image, which is after its tests passed."""
        return {EVENT: self.event, STACK: self.stack, STATUS: "tested"}
