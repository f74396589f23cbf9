"""Follow the machine image of an event while it is served, and say what it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from contracts.image import ImageRecord, ImageReference, ImageStatus
from tasks import console, typed

if TYPE_CHECKING:
    from contracts.event import EventConfig
    from imagebuilder.images import Choice
    from runner.store import ImageRecords


def followed(event: EventConfig, check: Callable[[str], None] = lambda _: None) -> Callable[[], ImageReference]:
    """Give what tells the event's image of the moment, the one it is pinned to included, and says once what it is.

    `check` raises RampartError of one that may not be used. What is given may be called from any thread, one at a time.
    It raises that, ImageNotFound, CloudError or StoreUnavailable.
    """
    return Followed(event.name, lambda: _opened(event, check))


def warning(event: str, image_id: str, name: str) -> str:
    """What is said of an image that is used though nobody looked at a host of it."""
    look = typed.again(f"invoke verify-ami --event {event} --image {image_id}")
    return f"warning: {image_id} ({name}) is not verified: nobody saw that its hosts are fit for runs ({look})"


class Followed:
    """Tells the image by what `opened` gives: who chooses one, where it is written down that it was used.

    That is opened when it is first asked: an event on this machine never does.
    """

    def __init__(self, event: str, opened: Callable[[], tuple[Callable[[], Choice], ImageRecords]]) -> None:
        self._event = event
        self._opened = opened
        self._asked: tuple[Callable[[], Choice], ImageRecords] | None = None
        self._told = ""

    def __call__(self) -> ImageReference:
        self._asked = self._asked or self._opened()
        ask, records = self._asked
        choice = ask()
        image = choice.image
        if image.image_id != self._told:
            # scores refer to it for longer than it may be there
            records.put(self._event, ImageRecord(image.image_id, image.name, image.created_at, image.status))
            _tell(self._event, choice, is_first=not self._told)
            self._told = image.image_id
        return image


def _opened(event: EventConfig, check: Callable[[str], None]) -> tuple[Callable[[], Choice], ImageRecords]:
    from clients.aws.images import Images
    from clients.aws.session import session_for
    from imagebuilder.images import choose
    from runner.app import now, open_image_records

    own, records = Images(session_for(event)), open_image_records(event)

    def ask() -> Choice:
        choice = choose(event, own, now=now(), pinned=records.pinned(event.name))
        check(choice.image.image_id)
        return choice

    return ask, records


def _tell(event: str, choice: Choice, *, is_first: bool) -> None:
    from imagebuilder.images import Why

    image = choice.image
    pinned = ", where the event is pinned" if choice.why is Why.PINNED else ""
    since = "" if is_first else ", from now on"
    console.say(f"image {image.image_id} ({image.name}), {image.status}{pinned}{since}")
    if image.status is not ImageStatus.VERIFIED:
        console.say(warning(event, image.image_id, image.name), style="yellow")
