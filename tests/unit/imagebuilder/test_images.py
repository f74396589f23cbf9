"""An event runs on the newest image that its own pipeline made and tested."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from contracts.errors import ImageNotFound
from contracts.event import EventConfig
from contracts.image import MachineImage
from imagebuilder import images

MakeEvent = Callable[..., EventConfig]

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TAGS = {"rampart:event": "flowers_2026", "rampart:stack": "flowers_2026", "rampart:status": "tested"}
DATED = "flowers-backend 2026-11-20T10-00-00.123Z"


def image(
    image_id: str = "ami-1",
    name: str = DATED,
    *,
    hours_old: float = 1,
    state: str = "available",
    tags: dict[str, str] = TAGS,
    deprecated_at: datetime | None = None,
) -> MachineImage:
    return MachineImage(image_id, name, NOW - timedelta(hours=hours_old), state, tags, deprecated_at)


class MemoryImages:
    """The account's own images."""

    def __init__(self, *found: MachineImage) -> None:
        self._found = found

    def named(self, base_name: str) -> tuple[MachineImage, ...]:
        return tuple(one for one in self._found if one.name == base_name or one.name.startswith(f"{base_name} "))

    def by_id(self, image_id: str) -> MachineImage | None:
        return next((one for one in self._found if one.image_id == image_id), None)


def test_the_newest_tested_image_is_chosen(make_event: MakeEvent) -> None:
    own = MemoryImages(image("ami-old", hours_old=9), image("ami-new"), image("ami-middle", hours_old=2))
    chosen = images.resolve(make_event(), own, now=NOW)
    assert (chosen.image_id, chosen.name, chosen.status) == ("ami-new", DATED, "tested")


def test_of_two_made_in_the_same_second_always_the_same_one_is_chosen() -> None:
    both = [image("ami-a"), image("ami-b")]
    for order in (both, both[::-1]):
        chosen = images.newest_tested(order, base="flowers-backend", event="flowers_2026", now=NOW)
        assert chosen == both[1]


@pytest.mark.parametrize(
    "passed_over",
    [
        image(name="flowers-backend"),
        image(name="flowers-backend-2 2026-11-20T10-00-00.123Z"),
        image(name="flowers-backend evil 2026-11-20T10-00-00.123Z"),
        image(name="flowers-backend 2026-11-20T10-00-00.123Z "),
        image(name="flowers-backend 9999-12-31T23-59-59Zx"),
        image(name="flowers-backend  2026-11-20T10-00-00.123Z"),
        image(name="flowers-backend 2026-11-20T10-00-00.123Z\n"),
        image(name="flowers-backend \uff12\uff10\uff12\uff16-11-20T10-00-00.123Z"),
        image(state="pending"),
        image(state="failed"),
        image(tags={}),
        image(tags={**TAGS, "rampart:status": "built"}),
        image(tags={**TAGS, "rampart:event": "other"}),
        image(deprecated_at=NOW - timedelta(seconds=1)),
    ],
    ids=lambda one: f"{one.name!r} {one.state} {len(one.tags)}",
)
def test_an_image_that_only_looks_like_the_events_is_passed_over_and_named(
    make_event: MakeEvent, passed_over: MachineImage
) -> None:
    with pytest.raises(ImageNotFound, match="invoke build-ami"):
        images.resolve(make_event(), MemoryImages(passed_over), now=NOW)
    older = image("ami-good", hours_old=99)
    assert images.resolve(make_event(), MemoryImages(passed_over, older), now=NOW).image_id == "ami-good"


def test_an_image_to_be_deprecated_later_still_serves(make_event: MakeEvent) -> None:
    own = MemoryImages(image(deprecated_at=NOW + timedelta(days=1)))
    assert images.resolve(make_event(), own, now=NOW).image_id == "ami-1"


@pytest.mark.parametrize("name", ["flowers-manual", "flowers-manual 2026-11-20T10-00-00.123Z"])
def test_an_image_the_event_file_names_runs_untested(make_event: MakeEvent, name: str) -> None:
    event = make_event(worker={"ami_image_name": "flowers-manual"})
    chosen = images.resolve(event, MemoryImages(image(name=name, tags={})), now=NOW)
    assert (chosen.image_id, chosen.status) == ("ami-1", "untested")


def test_a_tested_image_goes_before_a_newer_untested_one_of_its_name(make_event: MakeEvent) -> None:
    event = make_event(worker={"ami_image_name": "flowers-backend"})
    own = MemoryImages(image("ami-tested", hours_old=9), image("ami-untested", tags={}))
    assert images.resolve(event, own, now=NOW).image_id == "ami-tested"


def test_an_image_named_by_id_is_taken_as_it_is(make_event: MakeEvent) -> None:
    event = make_event(worker={"ami_image_id": "ami-0123456789abcdef0"})
    chosen = images.resolve(event, MemoryImages(image("ami-0123456789abcdef0", "by hand", tags={})), now=NOW)
    assert (chosen.name, chosen.status) == ("by hand", "untested")


def test_an_id_of_another_account_or_of_a_pending_image_is_refused(make_event: MakeEvent) -> None:
    event = make_event(worker={"ami_image_id": "ami-0123456789abcdef0"})
    with pytest.raises(ImageNotFound, match="own images"):
        images.resolve(event, MemoryImages(), now=NOW)
    with pytest.raises(ImageNotFound, match="is pending"):
        images.resolve(event, MemoryImages(image("ami-0123456789abcdef0", state="pending")), now=NOW)


def test_without_any_image_the_message_says_how_to_build_one(make_event: MakeEvent) -> None:
    with pytest.raises(ImageNotFound, match=r"no tested image 'flowers-backend'.*invoke build-ami"):
        images.resolve(make_event(), MemoryImages(), now=NOW)
