"""Tag every resource with the event and the stack it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

EVENT = "rampart:event"
STACK = "rampart:stack"
STATUS = "rampart:status"
MANAGED_BY = "rampart:managed-by"
COST_CENTER = "rampart:cost-center"
KEEP = "rampart:keep"
"""Whatever its value: the reaper passes an instance by, and retirement an image."""
MAX_LIFETIME = "rampart:max-lifetime-s"
"""On machines that AWS launches for a standing fleet: seconds counted from their launch."""


@dataclass(frozen=True, slots=True)
class Labels:
    """Whose a resource is, and who pays for it where the event says so."""

    event: str
    stack: str
    cost_center: str | None = None

    def resource(self, name: str) -> dict[str, str]:
        """Tags of a resource that Pulumi manages."""
        return {**self.instance(name), MANAGED_BY: "pulumi"}

    def instance(self, name: str) -> dict[str, str]:
        """Tags of what is launched from a declared resource: not managed by Pulumi, but of the same owner."""
        return {"Name": name, **self._owner()}

    def tested_image(self) -> dict[str, str]:
        """Tags of an AMI; Image Builder sets them when it distributes the image, which is after its tests passed."""
        return {**self._owner(), STATUS: "tested"}

    def _owner(self) -> dict[str, str]:
        payer = {COST_CENTER: self.cost_center} if self.cost_center else {}
        return {EVENT: self.event, STACK: self.stack, **payer}
