"""Find out who needs which of an event's machine images."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clients.aws.image_use import ImageUse
from clients.aws.images import Images
from clients.aws.session import session_for
from contracts.errors import ImageNotFound
from contracts.event import EventConfig
from imagebuilder import images
from imagebuilder.images import Choice
from runner.app import now, open_image_records

if TYPE_CHECKING:
    from runner.store import ImageRecords

Needs = dict[str, tuple[str, ...]]
"""By an image's id, who needs it: sentences about it, each a reason to keep it."""

_NAMED = 3


@dataclass(frozen=True)
class Sources:
    """Where it is known what an event's images are, and who needs them."""

    event: EventConfig
    session: Any  # one for all: to open one takes a second
    own: Images
    use: ImageUse
    records: ImageRecords

    def choice(self, *, pinned: str) -> Choice | None:
        """Give the image that new runs get; None where there is none. Raises CloudError."""
        try:
            return images.choose(self.event, self.own, now=now(), pinned=pinned)
        except ImageNotFound:
            return None


def sources(event: EventConfig) -> Sources:
    """Open what is asked about the event's images. Raises CloudError or StoreUnavailable."""
    session = session_for(event)
    return Sources(event, session, Images(session), ImageUse(session), open_image_records(event))


def all_of(asked: Sources, choice: Choice | None, *, image_ids: Collection[str]) -> Needs:
    """Give everybody who needs one of the images. Raises CloudError or StoreUnavailable."""
    return _together(
        {choice.image.image_id: (f"new runs get it: {choice.why}",)} if choice else {},
        at_once(asked, image_ids=image_ids),
        {image_id: (f"the launch template {_list(who)} has it",) for image_id, who in asked.use.templates().items()},
        {image_id: (f"the fleet {_list(who)} launches it",) for image_id, who in asked.use.fleets().items()},
        _named_in_files(asked.event),
    )


def at_once(asked: Sources, *, image_ids: Collection[str]) -> Needs:
    """Give those who may begin to need an image at any moment: runs, instances, events that are pinned."""
    use, instances = asked.records.use(), asked.use.instances(image_ids)
    return _together(
        {image_id: (f"pinned: {_list(events)}",) for image_id, events in use.pinned_by.items()},
        {image_id: (f"{counted(runs, 'run')} under way",) for image_id, runs in use.under_way.items()},
        {image_id: (f"{counted(len(up), 'instance')} up: {_list(up)}",) for image_id, up in instances.items()},
    )


def counted(count: int, what: str) -> str:
    """Say how many, in the right form."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def _named_in_files(event: EventConfig) -> Needs:
    """The event's own file, and those beside it that name an image by its id."""
    from tasks.events import files_naming_an_image

    named = dict(files_naming_an_image())
    if event.worker.ami_image_id:
        named.setdefault(event.name, event.worker.ami_image_id)
    found: Needs = {}
    for name, image_id in named.items():
        found[image_id] = (*found.get(image_id, ()), f"the file of the event {name} names it")
    return found


def _together(*parts: Mapping[str, Sequence[str]]) -> Needs:
    found: Needs = {}
    for part in parts:
        for image_id, reasons in part.items():
            found[image_id] = (*found.get(image_id, ()), *reasons)
    return found


def _list(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
