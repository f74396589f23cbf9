"""Make the image of a machine, and wait until EC2 has it ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from contracts.errors import ImageBuildFailed
from contracts.image import MachineImage
from imagebuilder.bake.order import Order
from imagebuilder.bake.ports import Images
from imagebuilder.renting import Clockwork

_SHORTEST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 10.0
_UNDER_WAY = frozenset({"pending", ""})


def make(
    order: Order,
    images: Images,
    instance_id: str,
    *,
    tags: Mapping[str, str],
    clockwork: Clockwork,
    still: Callable[[], None],
) -> MachineImage:
    """Give the image of a machine once it can be launched, encrypted as the order says.

    `still` is called at every look. Raises CloudError, and ImageBuildFailed where EC2 gives it up or takes too long.
    """
    begun_at = clockwork.now()

    def named(moment: datetime) -> dict[str, str]:
        return {"name": order.name_at(moment), "description": order.description}

    made = _ready(order, images, images.create(instance_id, **named(begun_at), tags=tags), clockwork, still)
    if made.is_encrypted and not order.kms_key:
        return made
    # the volumes were not encrypted, or with another key: only a copy can be
    later = max(clockwork.now(), begun_at + timedelta(milliseconds=1))
    copy_id = images.copy_encrypted(made.image_id, **named(later), tags=tags, kms_key=order.kms_key)
    copy = _ready(order, images, copy_id, clockwork, still)
    images.deregister(made)
    return copy


def _ready(
    order: Order, images: Images, image_id: str, clockwork: Clockwork, still: Callable[[], None]
) -> MachineImage:
    """Wait until an image is available; it may be unknown for some seconds."""
    deadline = clockwork.clock() + order.image_timeout_s
    pause_s = _SHORTEST_PAUSE_S
    while True:
        image = images.by_id(image_id)
        state = image.state if image else ""
        if image and state == "available":
            return image
        if state not in _UNDER_WAY:
            raise ImageBuildFailed(f"EC2 could not make the image {image_id}: it is {state}", hint="build again")
        if clockwork.clock() >= deadline:
            message = f"the image {image_id} is still {state or 'unknown'} after {order.image_timeout_s:.0f} s"
            raise ImageBuildFailed(message, hint="build again; a smaller infra.image.volume_gib is made faster")
        still()
        clockwork.sleep(pause_s)
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)
