"""Say which of an event's images may go, and what keeps the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.image import KEEP_TAG, MachineImage

_COUNTED = "available"


@dataclass(frozen=True, slots=True)
class Fate:
    """One image with what keeps it; one that nothing keeps may go."""

    image: MachineImage
    kept_for: tuple[str, ...]

    @property
    def may_go(self) -> bool:
        """Whether nothing keeps it."""
        return not self.kept_for


def fates(
    images: Iterable[MachineImage],
    *,
    keep: int,
    needs: Mapping[str, Sequence[str]],
    build_since: datetime | None = None,
) -> tuple[Fate, ...]:
    """Judge an event's own images, the newest first: the newest `keep` that are available stay.

    `needs` says by image id who needs one. `build_since` is when a build that is under way began: what was made since
    may be its image, which nobody knows yet.
    """
    newest_first = sorted(images, key=lambda one: (one.created_at, one.image_id), reverse=True)
    stay = {one.image_id for one in [one for one in newest_first if one.state == _COUNTED][:keep]}
    return tuple(
        Fate(
            image,
            (
                *needs.get(image.image_id, ()),
                *own_reasons(image, build_since=build_since),
                *([f"it is among the newest {keep}"] if image.image_id in stay else []),
            ),
        )
        for image in newest_first
    )


def own_reasons(image: MachineImage, *, build_since: datetime | None = None) -> tuple[str, ...]:
    """Say what about the image itself keeps it, whoever needs it."""
    reasons = []
    if KEEP_TAG in image.tags:
        reasons.append(f"it has the tag {KEEP_TAG}")
    if image.state == "pending":
        reasons.append("it is pending")
    if build_since is not None and image.created_at >= build_since:
        reasons.append("it was made since the build began that is under way")
    return tuple(reasons)
