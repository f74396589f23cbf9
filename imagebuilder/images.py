"""Choose the machine image an event runs on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from contracts.errors import ImageNotFound
from contracts.event import EventConfig
from contracts.image import EVENT_TAG, ImageReference, ImageStatus, MachineImage
from imagebuilder.ports import OwnImages

_BUILD_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}[-:.]?\d{2}[-:.]?\d{2}([.-]\d{1,9})?Z", re.ASCII)


class Why(StrEnum):
    """Why an image is the one that is used."""

    PINNED = "pinned"
    """An organiser said so: `images --use`."""
    BY_ID = "named by its id"
    """The event file says so: `worker.ami_image_id`."""
    NEWEST_VERIFIED = "newest verified"
    NEWEST_NAMED = "newest of its name"
    """The event file names it (`worker.ami_image_name`), and none of that name was verified."""


@dataclass(frozen=True, slots=True)
class PassedOver:
    """An image of the event's name that is not used, and what is against it."""

    image: MachineImage
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The image that is used, and those of its name that were not fit to be; older ones that are fit are not told."""

    image: ImageReference
    why: Why
    passed_over: tuple[PassedOver, ...] = ()


def resolve(event: EventConfig, own: OwnImages, *, now: datetime, pinned: str = "") -> ImageReference:
    """Give the event's image, as `choose` does. Raises ImageNotFound."""
    return choose(event, own, now=now, pinned=pinned).image


def choose(event: EventConfig, own: OwnImages, *, now: datetime, pinned: str = "") -> Choice:
    """Give the image the event is `pinned` at, else the one its file names by id, else the newest verified of its name.

    Where the file itself names an image (`ami_image_name`) and none of that name was verified, the newest of that name
    is taken, with its status, unless the file demands a verified one. Images of other accounts never count, nor do
    those that anybody may launch or read. Raises ImageNotFound.
    """
    if pinned:
        return Choice(_pinned(event, pinned, own), Why.PINNED)
    if event.worker.ami_image_id:
        return Choice(_by_id(event, event.worker.ami_image_id, own), Why.BY_ID)
    return _by_name(event, own, now)


def reference(image: MachineImage) -> ImageReference:
    """Give what is kept of an image that was chosen."""
    return ImageReference(image.image_id, image.name, image.created_at, image.status)


def against(image: MachineImage, *, base: str, event: str, now: datetime) -> str:
    """Say what is against using an image as the event's newest verified one; empty where nothing is."""
    if not _has_build_date(image, base):
        return "its name is not the event's with a build date"
    if not _is_usable(image, now):
        return _unusable(image)
    owner = image.tags.get(EVENT_TAG, "")
    if owner != event:
        return f"it is of the event {owner}" if owner else f"it has no tag {EVENT_TAG}"
    if image.status is ImageStatus.REJECTED:
        return "it was found unfit"
    return "" if image.status is ImageStatus.VERIFIED else "it is not verified"


def unfit(event: EventConfig, image: MachineImage, own: OwnImages) -> str:
    """Say what is against using an image that somebody named by its id; empty where nothing is.

    May raise CloudError.
    """
    if image.state != "available":
        return f"it is {image.state}"
    if image.status is ImageStatus.REJECTED:
        return "it was found unfit"
    if event.infra.image.require_verified and image.status is not ImageStatus.VERIFIED:
        return "it is not verified, which infra.image.require_verified demands"
    return _open_to_all(image, own)


def _pinned(event: EventConfig, image_id: str, own: OwnImages) -> ImageReference:
    image = own.by_id(image_id)
    reason = "it is not among the account's own images" if image is None else unfit(event, image, own)
    if image is None or reason:
        hint = f"let it follow the newest: invoke images --event {event.name} --use newest"
        raise ImageNotFound(f"event {event.name} is pinned to the image {image_id}, but {reason}", hint=hint)
    return reference(image)


def _by_id(event: EventConfig, image_id: str, own: OwnImages) -> ImageReference:
    image = own.by_id(image_id)
    if image is None:
        hint = f"copy another account's image into this one first: aws ec2 copy-image --source-image-id {image_id} ..."
        raise ImageNotFound(f"the image {image_id} is not among the account's own images", hint=hint)
    reason = unfit(event, image, own)
    if reason:
        raise ImageNotFound(f"the image {image_id} cannot be used: {reason}", hint=_remedy(event, image))
    return reference(image)


def _remedy(event: EventConfig, image: MachineImage) -> str:
    if image.state != "available":
        return "wait until it is available" if image.state == "pending" else "name another one: worker.ami_image_id"
    if image.status in (ImageStatus.VERIFIED, ImageStatus.TESTED, ImageStatus.UNTESTED) and not image.is_public:
        return f"look at it: invoke verify-ami --event {event.name} --image {image.image_id}"
    return f"invoke images --event {event.name} shows what there is"


def _by_name(event: EventConfig, own: OwnImages, now: datetime) -> Choice:
    base = event.image_name
    found = sorted(own.named(base), key=_age, reverse=True)
    reasons = {one.image_id: against(one, base=base, event=event.name, now=now) for one in found}
    verified = _first_closed((one for one in found if not reasons[one.image_id]), own, reasons)
    if verified is not None:
        return Choice(reference(verified), Why.NEWEST_VERIFIED, _passed_over(found, reasons))
    if event.worker.ami_image_name and not event.infra.image.require_verified:
        named = _first_closed(_named(found, event, now), own, reasons)
        if named is not None:
            others = (one for one in found if one != named)
            return Choice(reference(named), Why.NEWEST_NAMED, _passed_over(others, reasons))
    message = f"no verified image {base!r} of the event {event.name} in {event.region}"
    raise ImageNotFound(message, hint=_what_to_do(event, _passed_over(found, reasons)))


def _named(found: Iterable[MachineImage], event: EventConfig, now: datetime) -> list[MachineImage]:
    """Those called exactly as the file says, alone or with a build date: tested ones of the event's own first."""
    base = event.image_name
    named = [
        one
        for one in found
        if _is_usable(one, now)
        and one.status is not ImageStatus.REJECTED
        and not one.is_unfinished
        and (one.name == base or _has_build_date(one, base))
    ]
    return sorted(named, key=lambda one: (_is_proved(one, event), _age(one)), reverse=True)


def _is_proved(image: MachineImage, event: EventConfig) -> bool:
    return image.tags.get(EVENT_TAG) == event.name and image.status is not ImageStatus.UNTESTED


def _first_closed(images: Iterable[MachineImage], own: OwnImages, reasons: dict[str, str]) -> MachineImage | None:
    """Give the first whose disk nobody else may read; says in `reasons` what is against those before it."""
    for image in images:
        reason = _open_to_all(image, own)
        if not reason:
            return image
        reasons[image.image_id] = reason
    return None


def _passed_over(images: Iterable[MachineImage], reasons: dict[str, str]) -> tuple[PassedOver, ...]:
    return tuple(PassedOver(one, reasons[one.image_id]) for one in images if reasons[one.image_id])


def _open_to_all(image: MachineImage, own: OwnImages) -> str:
    """Whatever lies on such an image, the event's private data too, may be anybody's by now."""
    if image.is_public:
        return "anybody may launch it"
    snapshots = own.public_snapshots(image.snapshot_ids)
    return f"anybody may read its snapshot {snapshots[0]}" if snapshots else ""


def _is_usable(image: MachineImage, now: datetime) -> bool:
    is_deprecated = image.deprecated_at is not None and image.deprecated_at <= now
    return image.state == "available" and not is_deprecated and not image.is_public


def _unusable(image: MachineImage) -> str:
    if image.state != "available":
        return f"it is {image.state}"
    return "anybody may launch it" if image.is_public else "it is deprecated"


def _has_build_date(image: MachineImage, base: str) -> bool:
    return image.name.startswith(f"{base} ") and _BUILD_DATE.fullmatch(image.name[len(base) + 1 :]) is not None


def _age(image: MachineImage) -> tuple[datetime, str]:
    return image.created_at, image.image_id


def _what_to_do(event: EventConfig, passed_over: tuple[PassedOver, ...]) -> str:
    others = "; ".join(f"{one.image.image_id} {one.image.name!r}: {one.reason}" for one in passed_over)
    unverified = next((one.image for one in passed_over if one.reason == "it is not verified"), None)
    first = f"build one: invoke build-ami --event {event.name}"
    if unverified is not None:
        first = f"look at one: invoke verify-ami --event {event.name} --image {unverified.image_id}"
    return f"{first}; passed over: {others}" if others else first
