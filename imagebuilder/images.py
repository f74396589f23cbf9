"""Choose the machine image an event runs on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from contracts.errors import ImageNotFound
from contracts.event import EventConfig
from contracts.image import EVENT_TAG, ImageReference, ImageStatus, MachineImage
from imagebuilder.ports import OwnImages

_BUILD_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}[-:.]?\d{2}[-:.]?\d{2}([.-]\d{1,9})?Z", re.ASCII)


def resolve(event: EventConfig, own: OwnImages, *, now: datetime) -> ImageReference:
    """Give the event's image: the one its file names by id, else the newest tested one of its name.

    Where the file itself names an image (`ami_image_name`) that nobody tested, the newest of that name is taken and
    comes with the status `untested`. Images of other accounts never count. Raises ImageNotFound.
    """
    if event.worker.ami_image_id:
        return _by_id(event.worker.ami_image_id, own)
    base = event.image_name
    found = own.named(base)
    chosen = newest_tested(found, base=base, event=event.name, now=now)
    if chosen is None and event.worker.ami_image_name:
        chosen = newest_named(found, base=base, now=now)
    if chosen is None:
        message = f"no tested image {base!r} of the event {event.name} in {event.region}"
        raise ImageNotFound(message, hint=_what_to_do(event, found))
    return _reference(chosen)


def newest_tested(images: Iterable[MachineImage], *, base: str, event: str, now: datetime) -> MachineImage | None:
    """Give the newest usable image that the event's pipeline made and tested: `<base> <build date>`, tags and all."""
    return _newest(
        image
        for image in images
        if _is_usable(image, now)
        and _has_build_date(image, base)
        and image.tags.get(EVENT_TAG) == event
        and image.status in (ImageStatus.TESTED, ImageStatus.VERIFIED)
    )


def newest_named(images: Iterable[MachineImage], *, base: str, now: datetime) -> MachineImage | None:
    """Give the newest usable image called exactly `base`, or that with a build date, whoever made it."""
    return _newest(
        image for image in images if _is_usable(image, now) and (image.name == base or _has_build_date(image, base))
    )


def _by_id(image_id: str, own: OwnImages) -> ImageReference:
    image = own.by_id(image_id)
    if image is None or image.state != "available":
        what = "is not among the account's own images" if image is None else f"is {image.state}"
        hint = f"copy another account's image into this one first: aws ec2 copy-image --source-image-id {image_id} ..."
        raise ImageNotFound(
            f"the image {image_id} {what}", hint=hint if image is None else "wait until it is available"
        )
    return _reference(image)


def _is_usable(image: MachineImage, now: datetime) -> bool:
    return image.state == "available" and (image.deprecated_at is None or image.deprecated_at > now)


def _has_build_date(image: MachineImage, base: str) -> bool:
    return image.name.startswith(f"{base} ") and _BUILD_DATE.fullmatch(image.name[len(base) + 1 :]) is not None


def _newest(images: Iterable[MachineImage]) -> MachineImage | None:
    return max(images, key=lambda image: (image.created_at, image.image_id), default=None)


def _reference(image: MachineImage) -> ImageReference:
    return ImageReference(image.image_id, image.name, image.created_at, image.status)


def _what_to_do(event: EventConfig, found: Iterable[MachineImage]) -> str:
    build = f"build one: invoke build-ami --event {event.name}"
    others = ", ".join(f"{image.image_id} {image.name!r} ({image.state})" for image in found)
    return f"{build}; passed over: {others}" if others else build
