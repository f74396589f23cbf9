"""Remove an event's old machine images, and never one that somebody needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.errors import CloudError, RampartError
from contracts.event import EventConfig
from contracts.image import EVENT_TAG, MachineImage
from imagebuilder import retiring
from imagebuilder.retiring import Fate
from tasks import console, image_needs
from tasks.image_needs import Sources


@dataclass(frozen=True, slots=True)
class _Told:
    """One image and what became of it: `kept`, `would be removed`, `removed`, `not removed`."""

    image_id: str
    name: str
    created_at: datetime
    outcome: str
    reason: str


def prune(event: EventConfig, *, keep: int, really: bool, as_json: bool) -> None:
    """Remove the event's own images beyond the newest `keep` with their snapshots, or only tell which would go.

    One stays that an event is pinned to, that new runs get, that a run, an instance, a launch template, a standing
    fleet or an event file needs, or that has the tag `rampart:keep`. Raises CloudError or StoreUnavailable before
    anything is removed where not everybody could be asked, and RampartError afterwards where one could not be removed.
    """
    asked = image_needs.sources(event)
    build_since = _build_since(asked)  # before the images are listed: a build may end in between
    found = {image.image_id: image for image in asked.own.tagged({EVENT_TAG: event.name})}
    choice = asked.choice(pinned=asked.records.pinned(event.name))
    needs = image_needs.all_of(asked, choice, image_ids=found)
    fates = retiring.fates(found.values(), keep=keep, needs=needs, build_since=build_since)
    told = [_fate(asked, one, really=really) for one in fates]
    _print(event, told, as_json=as_json)
    failed = [one for one in told if one.outcome == "not removed"]
    if failed:
        raise RampartError(f"{failed[0].image_id} could not be removed: {failed[0].reason}", hint="try it again")
    if really:
        console.next_step(f"invoke images --event {event.name}")
    elif any(one.may_go for one in fates):
        more = "" if keep == event.infra.image.keep else f" --keep {keep}"
        console.next_step(f"invoke images --event {event.name} --prune{more} --yes")


def _fate(asked: Sources, fate: Fate, *, really: bool) -> _Told:
    image = fate.image
    if fate.kept_for:
        return _told(image, "kept", fate.kept_for)
    if not really:
        return _told(image, "would be removed", ("nobody needs it",))
    try:
        since = _needed_since(asked, image)
        if since:
            return _told(image, "kept", since)
        asked.own.deregister(image)
    except CloudError as error:
        return _told(image, "not removed", (error.message,))
    return _told(image, "removed", ("nobody needs it",))


def _needed_since(asked: Sources, image: MachineImage) -> tuple[str, ...]:
    """Look once more right before an image goes: somebody may have begun to need it meanwhile."""
    again = asked.own.by_id(image.image_id)
    marked = retiring.own_reasons(again) if again else ()
    choice = asked.choice(pinned=asked.records.pinned(asked.event.name))
    if choice is not None and choice.image.image_id == image.image_id:
        return (f"new runs get it: {choice.why}",)
    needs = image_needs.at_once(asked, image_ids=[image.image_id])
    return (*needs.get(image.image_id, ()), *marked)


def _build_since(asked: Sources) -> datetime | None:
    """When the event's oldest build began that is under way; None where none is."""
    from clients.aws.pipelines import Pipelines
    from tasks import stack

    outputs = stack.outputs_of(asked.event)
    if outputs is None or not outputs.image_pipeline_arn:
        return None
    try:
        builds = Pipelines(asked.session).under_way(outputs.image_pipeline_arn)
    except CloudError as error:
        if error.code == "ResourceNotFoundException":  # what was deployed is gone, and with it its builds
            return None
        raise
    return min((build.started_at for build in builds), default=None)


def _told(image: MachineImage, outcome: str, reasons: Sequence[str]) -> _Told:
    return _Told(image.image_id, image.name, image.created_at, outcome, "; ".join(reasons))


def _print(event: EventConfig, told: Sequence[_Told], *, as_json: bool) -> None:
    if as_json:
        console.rows_as_json(told)
        return
    columns = [field.name for field in dataclasses.fields(_Told)]
    rows = [dataclasses.astuple(one) for one in told]
    console.table(f"images of {event.name}", [name.replace("_", " ") for name in columns], rows, empty="none")
