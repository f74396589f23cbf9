"""Command that shows an event's machine images, chooses one, or retires old ones: images."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from tasks.command import EVENT_HELP, JSON_HELP, LOCAL_HELP, command

if TYPE_CHECKING:
    from clients.aws.images import Images
    from contracts.event import EventConfig
    from contracts.image import MachineImage

NEWEST = "newest"


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | JSON_HELP
    | {
        "use": "pin the event to the image of this id; `newest` lets it follow the newest verified one again",
        "prune": "remove images beyond the newest that are kept, unless something needs them; only tells, unless --yes",
        "keep": "with --prune: how many stay, instead of infra.image.keep",
        "yes": "with --prune: really remove them (without it, only tell which)",
    }
)
def images(
    event: str | None = None,
    config: str | None = None,
    use: str | None = None,
    prune: bool = False,
    keep: str | None = None,
    yes: bool = False,
    local: bool = False,
    json: bool = False,
) -> None:
    """Show the event's machine images: which one new runs get, what each was made from, and who needs it.

    Example: invoke images --event iris --use ami-0abc1234def567890
    """
    from contracts.errors import AskedWrongly
    from tasks import image_pruning, image_table
    from tasks.events import open_event

    if use and prune:
        raise AskedWrongly("--use and --prune are two things", hint="one after the other")
    if (keep or yes) and not prune:
        raise AskedWrongly("--keep and --yes belong to --prune", hint="invoke images --prune --keep 3")
    wanted = _number(keep)
    opened = open_event(event, config=config, local=local)
    if use:
        choose(opened, use, as_json=json)
    elif prune:
        image_pruning.prune(opened, keep=wanted or opened.infra.image.keep, really=yes, as_json=json)
    else:
        image_table.show(opened, as_json=json)


def choose(event: EventConfig, wanted: str, *, as_json: bool) -> None:
    """Pin the event to an image, or let it follow the newest; runs that start from now on use it.

    Raises UnknownName or AskedWrongly where the image cannot be used.
    """
    from clients.aws.images import Images
    from clients.aws.session import session_for
    from contracts.image import ImageStatus
    from runner.app import open_image_records
    from tasks import console, image_following

    own, records = Images(session_for(event)), open_image_records(event)
    before = records.pinned(event.name)
    image = None if wanted == NEWEST else _usable(event, wanted, own)
    if image is not None:
        # kept before it is pinned: what retires images reads the tag alone
        _spare(event, image, own)
    records.pin(event.name, image.image_id if image else None)
    if before and before != wanted:
        _let_go(event, before, own, others=records.use().pinned_by.get(before, ()))
    if image is not None and image.status is not ImageStatus.VERIFIED:
        console.say(image_following.warning(event.name, image.image_id, image.name), style="yellow")
    if as_json:
        console.data({"event": event.name, "pinned": image.image_id if image else ""})
    elif image is not None:
        console.result(f"{event.name} is pinned to {image.image_id} ({image.name}), {image.status}")
        console.next_step(f"invoke images --event {event.name} --use {NEWEST} lets it follow the newest again")
    else:
        console.result(f"{event.name} follows its newest verified image")
        console.next_step(f"invoke images --event {event.name}")


def _number(text: str | None) -> int | None:
    from contracts.errors import AskedWrongly

    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise AskedWrongly(f"--keep {text!r} is no number of images, 1 to 1000", hint="e.g. --keep 3")
    return int(text)


def _usable(event: EventConfig, image_id: str, own: Images) -> MachineImage:
    from contracts.errors import AskedWrongly, UnknownName
    from imagebuilder.images import unfit

    hint = f"invoke images --event {event.name} shows what there is"
    image = own.by_id(image_id)
    if image is None:
        raise UnknownName(f"the image {image_id} is not among the account's own in {event.region}", hint=hint)
    reason = unfit(event, image, own)
    if reason:
        raise AskedWrongly(f"the image {image_id} ({image.name}) cannot be used: {reason}", hint=hint)
    return image


def _spare(event: EventConfig, image: MachineImage, own: Images) -> None:
    """Keep an image from being retired by Image Builder, unless somebody has already."""
    from contracts.errors import CloudError
    from contracts.image import KEEP_TAG, PINNED_TAG
    from tasks import console

    if KEEP_TAG in image.tags:
        return
    try:
        own.tag(image.image_id, {KEEP_TAG: "true", PINNED_TAG: event.name})
    except CloudError as error:
        told = f"warning: {error.message}: Image Builder may retire the image, unless it gets the tag {KEEP_TAG}=true"
        console.say(told, style="yellow")


def _let_go(event: EventConfig, image_id: str, own: Images, *, others: Collection[str]) -> None:
    """Let an image be retired again that was kept for this event, and that no other of the database is pinned to."""
    from contracts.errors import CloudError
    from contracts.image import KEEP_TAG, PINNED_TAG
    from tasks import console

    try:
        image = own.by_id(image_id)
        if image is not None and image.tags.get(PINNED_TAG) == event.name and not others:
            own.untag(image_id, (KEEP_TAG, PINNED_TAG))
    except CloudError as error:
        console.say(f"warning: {error.message}: {image_id} keeps its tag {KEEP_TAG}", style="yellow")
