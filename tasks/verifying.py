"""Command that looks at a host of an image before runs get any: verify-ami."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks.command import EVENT_HELP, JSON_HELP, LOCAL_HELP, command

if TYPE_CHECKING:
    from contracts.event import EventConfig
    from contracts.image import MachineImage
    from imagebuilder.verify import Verification

_LOOKING_S = 3600.0
"""How long a host that is looked at lives at most, beyond its boot."""


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | JSON_HELP
    | {
        "image": "the image's id; by default the newest of the event's name",
        "challenge": "the challenge (ramp.problem_name), where one event alone has it",
    }
)
def verify_ami(
    challenge: str | None = None,
    event: str | None = None,
    image: str | None = None,
    config: str | None = None,
    local: bool = False,
    json: bool = False,
) -> None:
    """Launch a host from the event's newest image, look whether it is fit for runs, and end it.

    Only an image that was found fit is used for runs. Exits 1 where it is not.

    Example: invoke verify-ami --event iris --image ami-0abc1234def567890
    """
    import sys

    from tasks import console
    from tasks.events import event_of_challenge, open_event

    name = event_of_challenge(challenge) if challenge and not event else event
    opened = open_event(name, config=config, local=local)
    chosen = _chosen(opened, image)
    verification = verify(opened, chosen)
    if json:
        console.data(as_data(chosen, verification))
    else:
        show(chosen, verification)
    if verification.status == "rejected":
        sys.exit(1)


def verify(event: EventConfig, image: MachineImage) -> Verification:
    """Look at one host of the image, and write what was seen on the image and into the event's database."""
    from clients.aws.images import Images
    from clients.aws.session import session_for
    from contracts.errors import HostUnreachable
    from contracts.image import STATUS_TAG, ImageRecord
    from imagebuilder import verify as verifying
    from runner.app import now, open_image_records
    from runner.layout import find_layout
    from tasks import console, rented

    worker = event.worker
    wanted = verifying.Wanted(event.infra.image.quick_test_submission, worker.ami_user_name, worker.instance_type)
    machines = rented.like_hosts(event)
    console.say(f"looking at a host of {image.image_id} ({image.name}), a {worker.instance_type}")
    try:
        with machines.rented(
            image.image_id,
            instance_type=worker.instance_type,
            purpose="image-verify",
            lifetime_s=worker.boot_timeout_s + _LOOKING_S,
        ) as host:
            verification = verifying.verify(
                image,
                host,
                wanted,
                find_layout=lambda transport: find_layout(
                    transport, problem=event.ramp.problem_name, remote_kit_folder=worker.remote_ramp_kit_folder
                ),
            )
    except HostUnreachable as error:
        verification = verifying.unreached(error)
    Images(session_for(event)).tag(image.image_id, {STATUS_TAG: verification.status.value})
    record = ImageRecord(
        image_id=image.image_id,
        name=image.name,
        created_at=image.created_at,
        status=verification.status,
        provenance=verification.provenance,
        boot_s=verification.boot_s,
        checks=verification.checks,
        verified_at=now(),
    )
    open_image_records(event).put(event.name, record)
    return verification


def show(image: MachineImage, verification: Verification) -> None:
    """Print what was seen, one line each; the end of a quick test's log before, where it failed."""
    from tasks import console

    for line in verification.log_tail:
        console.say(f"  | {line}")
    rows = [(check.name, "ok" if check.passed else "NOT ok", check.detail) for check in verification.checks]
    console.table(f"{image.image_id}  {image.name}: {verification.status}", ("check", "", "seen"), rows)


def _chosen(event: EventConfig, image_id: str | None) -> MachineImage:
    from clients.aws.images import Images
    from clients.aws.session import session_for
    from contracts.errors import ImageNotFound

    own = Images(session_for(event))
    if image_id is None:
        image_id = event.worker.ami_image_id
    if image_id is not None:
        found = own.by_id(image_id)
    else:
        usable = [one for one in own.named(event.image_name) if one.state == "available" and not one.is_unfinished]
        found = max(usable, key=lambda one: (one.created_at, one.image_id), default=None)
    if found is None or found.state != "available":
        named = image_id or f"of the name {event.image_name!r}"
        hint = f"invoke images --event {event.name} shows what is there; build one: invoke build-ami"
        raise ImageNotFound(f"no available image {named} among the account's own", hint=hint)
    return found


def as_data(image: MachineImage, verification: Verification) -> dict[str, object]:
    """What was seen, for --json."""
    import dataclasses

    return {
        "image_id": image.image_id,
        "name": image.name,
        "status": verification.status.value,
        "boot_s": verification.boot_s,
        "provenance": dataclasses.asdict(verification.provenance),
        "checks": [dataclasses.asdict(check) for check in verification.checks],
    }
