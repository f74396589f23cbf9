"""Show an event's machine images: which one new runs get, what each was made from, who needs it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clients.aws.images import Images
from contracts.event import EventConfig
from contracts.image import EVENT_TAG, RECIPE_TAG, ImageRecord, ImageStatus, MachineImage, Provenance
from imagebuilder import images
from imagebuilder.images import Choice, Why
from runner.app import now
from tasks import console, image_needs

_SHORT = 12
"""As many letters of a commit or digest tell two apart."""
_GONE = "gone"


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image: `state` is EC2's word, or `gone` where scores or a pin outlived it.

    `used_for` says who needs it, `scores` how many results came from it, `warnings` what is wrong with it.
    """

    image_id: str
    name: str
    created_at: datetime
    state: str
    status: ImageStatus
    used_for: tuple[str, ...] = ()
    scores: int = 0
    provenance: Provenance = dataclasses.field(default_factory=Provenance)
    build_s: float | None = None
    boot_s: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class IgnoredImage:
    """An image that is never used, though its name is the event's: another account's, which shares it with this one."""

    image_id: str
    name: str
    owner: str
    reason: str = "another account's image is never used: whoever shares one chooses its name"


def show(event: EventConfig, *, as_json: bool) -> None:
    """Print the images. Raises CloudError or StoreUnavailable."""
    asked = image_needs.sources(event)
    own, records = asked.own, asked.records
    pinned = records.pinned(event.name)
    known = {record.image_id: record for record in records.all(event.name)}
    found = _of_event(event, own, pinned)
    choice = asked.choice(pinned=pinned)
    needs = image_needs.all_of(asked, choice, image_ids=found)
    scores = records.scores(event.name)
    rows = [_row(event, image, own, choice, known.get(image.image_id), needs, scores) for image in found.values()]
    rows += [
        _gone(record, needs, scores)
        for record in known.values()
        if record.image_id not in found and (record.image_id in scores or record.image_id == pinned)
    ]
    rows.sort(key=lambda row: (row.created_at, row.image_id), reverse=True)
    ignored = _ignored(event, own, found)
    if as_json:
        used = choice.image.image_id if choice else ""
        console.data(
            {"event": event.name, "pinned": pinned, "used": used, "images": _data(rows), "ignored": _data(ignored)}
        )
        return
    _print(event, rows, ignored, choice)


def _of_event(event: EventConfig, own: Images, pinned: str) -> dict[str, MachineImage]:
    """Those of the event's name, those tagged as its own, and those somebody named by id."""
    by_id = [own.by_id(image_id) for image_id in {pinned, event.worker.ami_image_id or ""} - {""}]
    found = (*own.named(event.image_name), *own.tagged({EVENT_TAG: event.name}), *filter(None, by_id))
    return {image.image_id: image for image in found}


def _row(
    event: EventConfig,
    image: MachineImage,
    own: Images,
    choice: Choice | None,
    known: ImageRecord | None,
    needs: Mapping[str, Sequence[str]],
    scores: Mapping[str, int],
) -> ImageRow:
    provenance = known.provenance if known else Provenance()
    recipe = provenance.recipe or image.tags.get(RECIPE_TAG, "")
    against = _against(event, image, choice)
    return ImageRow(
        image_id=image.image_id,
        name=image.name,
        created_at=image.created_at,
        state=image.state,
        status=image.status,
        used_for=tuple(needs.get(image.image_id, ())),
        scores=scores.get(image.image_id, 0),
        provenance=dataclasses.replace(provenance, recipe=recipe),
        build_s=known.build_s if known else None,
        boot_s=known.boot_s if known else None,
        warnings=(*([f"passed over: {against}"] if against else []), *_open_to(event, image, own)),
    )


def _against(event: EventConfig, image: MachineImage, choice: Choice | None) -> str:
    """Why it is not the one that new runs get, as far as that is decided by name."""
    if choice is not None and (choice.image.image_id == image.image_id or choice.why in (Why.PINNED, Why.BY_ID)):
        return ""
    return images.against(image, base=event.image_name, event=event.name, now=now())


def _open_to(event: EventConfig, image: MachineImage, own: Images) -> list[str]:
    """Say who may have what lies on the image, beyond those the event file names."""
    others = set(own.launchers(image.image_id)) - {"all"} - set(event.infra.image.share_with)
    told = ["PUBLIC: anybody may launch it"] if image.is_public else []
    told += [f"PUBLIC: anybody may read its snapshot {one}" for one in own.public_snapshots(image.snapshot_ids)]
    told += [f"shared with {one}, which infra.image.share_with does not name" for one in sorted(others)]
    return told


def _gone(record: ImageRecord, needs: Mapping[str, Sequence[str]], scores: Mapping[str, int]) -> ImageRow:
    return ImageRow(
        image_id=record.image_id,
        name=record.name,
        created_at=record.created_at,
        state=_GONE,
        status=record.status,
        used_for=tuple(needs.get(record.image_id, ())),
        scores=scores.get(record.image_id, 0),
        provenance=record.provenance,
        build_s=record.build_s,
        boot_s=record.boot_s,
    )


def _ignored(event: EventConfig, own: Images, found: Mapping[str, MachineImage]) -> list[IgnoredImage]:
    base = event.image_name
    return [
        IgnoredImage(image.image_id, image.name, owner)
        for owner, image in own.shared_with_us()
        if image.image_id not in found and (image.name == base or image.name.startswith(f"{base} "))
    ]


def _data(rows: Sequence[ImageRow | IgnoredImage]) -> list[dict[str, Any]]:
    return [dataclasses.asdict(row) for row in rows]


def _print(
    event: EventConfig, rows: Sequence[ImageRow], ignored: Sequence[IgnoredImage], choice: Choice | None
) -> None:
    columns = ("id", "name", "created", "status", "in use", "kit", "data", "parent", "recipe", "note")
    console.table(f"images of {event.name}", columns, [_cells(row) for row in rows], empty="none yet")
    for one in ignored:
        console.result(f"ignored: {one.image_id} ({one.name}) of the account {one.owner}: {one.reason}")
    if choice is None:
        console.say(f"no image can be used for runs of {event.name}", style="yellow")
        unproved = next(
            (row for row in rows if row.state == "available" and row.status is not ImageStatus.REJECTED), None
        )
        look = f"invoke verify-ami --event {event.name}"
        console.next_step(look if unproved else f"invoke build-ami --event {event.name}")
    else:
        console.next_step(f"invoke images --event {event.name} --use ID pins the event to one")


def _cells(row: ImageRow) -> tuple[object, ...]:
    made = row.provenance
    results = [f"{image_needs.counted(row.scores, 'score')} from it"] if row.scores else []
    state = row.status if row.state == "available" else f"{row.state} ({row.status})"
    digests = (made.kit[:_SHORT], made.data[:_SHORT], made.parent_image, made.recipe)
    return (
        row.image_id,
        row.name,
        row.created_at,
        state,
        "; ".join((*row.used_for, *results)) or None,
        *(one or None for one in digests),
        "; ".join(row.warnings) or None,
    )
