"""Command that makes an event's machine image: build-ami."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.command import EVENT_HELP, LOCAL_HELP, command

if TYPE_CHECKING:
    from contracts.event import EventConfig
    from contracts.image import ImageReference, MachineImage
    from imagebuilder.verify import Verification


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | {
        "challenge": "the challenge (ramp.problem_name), where one event alone has it",
        "force": "build also where nothing has changed since the last image",
        "via": "pipeline (EC2 Image Builder, the default) or ssh (on instances of our own)",
        "log": "show every line of the build's log",
        "json": "print JSON",
    }
)
def build_ami(
    challenge: str | None = None,
    event: str | None = None,
    config: str | None = None,
    local: bool = False,
    force: bool = False,
    via: str = "pipeline",
    log: bool = False,
    json: bool = False,
) -> None:
    """Build the event's machine image, test it on a fresh instance, and look at a host of it; then runs use it.

    What has changed since the last `up` is deployed first. Without a change nothing is built.

    Example: invoke build-ami --challenge iris
    """
    import sys

    from contracts.errors import AskedWrongly
    from tasks import console, image_building, verifying
    from tasks.events import event_of_challenge, open_event

    if via not in ("pipeline", "ssh"):
        raise AskedWrongly(f"an image cannot be built via {via!r}", hint="--via pipeline, or --via ssh")
    name = event_of_challenge(challenge) if challenge and not event else event
    opened = open_event(name, config=config, local=local)
    there = None if force else image_building.built_already(opened)
    if there is not None and there.status == "verified":
        _tell_nothing_to_build(opened, there, json=json)
        return
    image, verification = there_or_built(opened, there, via=via, local=local, config=config, every_line=log)
    if json:
        console.data({**verifying.as_data(image, verification), "built": there is None})
    else:
        verifying.show(image, verification)
        if verification.status == "verified":
            console.next_step(f"invoke train-loop --event {opened.name}")
    if verification.status == "rejected":
        sys.exit(1)


def there_or_built(
    event: EventConfig,
    there: MachineImage | None = None,
    *,
    via: str = "pipeline",
    local: bool = False,
    config: str | None = None,
    every_line: bool = False,
) -> tuple[MachineImage, Verification]:
    """Give the event an image that was looked at: the one that is `there`, or one that is built now."""
    from clients.aws.images import Images
    from clients.aws.session import session_for
    from contracts.errors import ImageNotFound
    from tasks import console, verifying

    if there is not None:
        console.say(f"nothing to build: {there.image_id} ({there.name}) is made from just this, and was not looked at")
        return there, verifying.verify(event, there)
    built = _built(event, via=via, local=local, config=config, every_line=every_line)
    image = Images(session_for(event)).by_id(built.image_id)
    if image is None:
        hint = f"invoke images --event {event.name} shows what is there"
        raise ImageNotFound(f"the image {built.image_id} was built and is not there any more", hint=hint)
    return image, verifying.verify(event, image)


def _built(event: EventConfig, *, via: str, local: bool, config: str | None, every_line: bool) -> ImageReference:
    """Build, and remember how long that took: what the next build is expected to take."""
    import time

    from contracts.image import ImageRecord
    from runner.app import open_image_records
    from tasks import baking, image_building

    records = open_image_records(event)
    build = baking.build if via == "ssh" else image_building.build
    began = time.monotonic()
    built = build(event, local=local, config=config, every_line=every_line, estimate_s=records.last_build_s(event.name))
    build_s = time.monotonic() - began
    records.put(event.name, ImageRecord(built.image_id, built.name, built.created_at, built.status, build_s=build_s))
    return built


def _tell_nothing_to_build(event: EventConfig, image: MachineImage, *, json: bool) -> None:
    import dataclasses

    from contracts.image import ImageReference
    from tasks import console

    reference = ImageReference(image.image_id, image.name, image.created_at, image.status)
    if json:
        console.data({**dataclasses.asdict(reference), "built": False})
        return
    console.result(f"nothing to build: {image.image_id}  {image.name} is {image.status} and made from just this")
    console.say("--force builds it again: newer packages, a newer parent image, new commits of a branch do not show")
    console.next_step(f"invoke train-loop --event {event.name}")
