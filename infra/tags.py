"""Tag every resource with the event and the stack it belongs to."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.image import EVENT_TAG, KEEP_TAG, RECIPE_TAG, STATUS_TAG, ImageStatus

EVENT = EVENT_TAG
STACK = "rampart:stack"
STATUS = STATUS_TAG
RECIPE = RECIPE_TAG
"""On images: the version of the recipe that they were built from."""
MANAGED_BY = "rampart:managed-by"
COST_CENTER = "rampart:cost-center"
KEEP = KEEP_TAG
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

    def built_image(self, recipe: str) -> dict[str, str]:
        """Tags of an AMI from its first moment on; `recipe` is the version of what it is built from."""
        return {**self._owner(), RECIPE: recipe}

    def tested_image(self, recipe: str) -> dict[str, str]:
        """Tags of an AMI; Image Builder sets them when it distributes the image, which is after its tests passed."""
        return {**self.built_image(recipe), STATUS: ImageStatus.TESTED.value}

    def _owner(self) -> dict[str, str]:
        payer = {COST_CENTER: self.cost_center} if self.cost_center else {}
        return {EVENT: self.event, STACK: self.stack, **payer}
