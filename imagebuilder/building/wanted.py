"""Tell whether an event's image needs to be built."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from contracts.image import EVENT_TAG, RECIPE_TAG, ImageStatus, MachineImage

_GOOD = frozenset({ImageStatus.TESTED, ImageStatus.VERIFIED})


def built_already(
    images: Iterable[MachineImage], *, base: str, event: str, recipe: str, now: datetime
) -> MachineImage | None:
    """Give the event's newest image where it was made by this very recipe, else None: one is to be built.

    `images` are the account's own; those called `<base> <build date>` count, unless they are untested, rejected, not
    available, or deprecated by `now`.
    """
    good = (
        image
        for image in images
        if image.state == "available"
        and (image.deprecated_at is None or image.deprecated_at > now)
        and image.name.startswith(f"{base} ")
        and image.tags.get(EVENT_TAG) == event
        and image.status in _GOOD
    )
    newest = max(good, key=lambda image: (image.created_at, image.image_id), default=None)
    return newest if newest is not None and newest.tags.get(RECIPE_TAG) == recipe else None
