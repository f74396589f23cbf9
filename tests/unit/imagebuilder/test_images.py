"""An event runs on the newest image that its own pipeline made and a look at a host found fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest

from contracts.errors import ImageNotFound
from contracts.event import EventConfig
from contracts.image import MachineImage
from imagebuilder import images
from imagebuilder.images import PassedOver, Why

MakeEvent = Callable[..., EventConfig]

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TAGS = {"rampart:event": "flowers_2026", "rampart:stack": "flowers_2026", "rampart:status": "verified"}
TESTED = {**TAGS, "rampart:status": "tested"}
REJECTED = {**TAGS, "rampart:status": "rejected"}
IMAGE_ID = "ami-0123456789abcdef0"
PUBLIC_SNAPSHOT = "snap-public"
DATED = "flowers-backend 2026-11-20T10-00-00.123Z"


def image(
    image_id: str = "ami-1",
    name: str = DATED,
    *,
    hours_old: float = 1,
    state: str = "available",
    tags: dict[str, str] = TAGS,
    deprecated_at: datetime | None = None,
    is_public: bool = False,
    snapshots: tuple[str, ...] = ("snap-closed",),
) -> MachineImage:
    made_at = NOW - timedelta(hours=hours_old)
    return MachineImage(image_id, name, made_at, state, tags, deprecated_at, snapshots, is_public)


class MemoryImages:
    """The account's own images."""

    def __init__(self, *found: MachineImage) -> None:
        self._found = found

    def named(self, base_name: str) -> tuple[MachineImage, ...]:
        return tuple(one for one in self._found if one.name == base_name or one.name.startswith(f"{base_name} "))

    def by_id(self, image_id: str) -> MachineImage | None:
        return next((one for one in self._found if one.image_id == image_id), None)

    def public_snapshots(self, snapshot_ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(one for one in snapshot_ids if one == PUBLIC_SNAPSHOT)


def test_the_newest_verified_image_is_chosen(make_event: MakeEvent) -> None:
    own = MemoryImages(image("ami-old", hours_old=9), image("ami-new"), image("ami-middle", hours_old=2))
    chosen = images.choose(make_event(), own, now=NOW)
    assert (chosen.image.image_id, chosen.image.name, chosen.image.status) == ("ami-new", DATED, "verified")
    assert (chosen.why, chosen.passed_over) == (Why.NEWEST_VERIFIED, ())


def test_of_two_made_in_the_same_second_always_the_same_one_is_chosen(make_event: MakeEvent) -> None:
    both = [image("ami-a"), image("ami-b")]
    for order in (both, both[::-1]):
        assert images.resolve(make_event(), MemoryImages(*order), now=NOW).image_id == "ami-b"


@pytest.mark.parametrize(
    ("passed_over", "reason"),
    [
        (image(name="flowers-backend"), "its name is not the event's with a build date"),
        (image(name="flowers-backend-2 2026-11-20T10-00-00.123Z"), None),
        (image(name="flowers-backend evil 2026-11-20T10-00-00.123Z"), "its name is not the event's with a build date"),
        (image(name="flowers-backend 2026-11-20T10-00-00.123Z "), "its name is not the event's with a build date"),
        (image(name="flowers-backend 9999-12-31T23-59-59Zx"), "its name is not the event's with a build date"),
        (image(name="flowers-backend  2026-11-20T10-00-00.123Z"), "its name is not the event's with a build date"),
        (image(name="flowers-backend 2026-11-20T10-00-00.123Z\n"), "its name is not the event's with a build date"),
        (
            image(name="flowers-backend \uff12\uff10\uff12\uff16-11-20T10-00-00.123Z"),
            "its name is not the event's with a build date",
        ),
        (image(state="pending"), "it is pending"),
        (image(state="failed"), "it is failed"),
        (image(tags={}), "it has no tag rampart:event"),
        (image(tags={**TAGS, "rampart:status": "built"}), "it is not verified"),
        (image(tags=TESTED), "it is not verified"),
        (image(tags=REJECTED), "it was found unfit"),
        (image(tags={**TAGS, "rampart:event": "other"}), "it is of the event other"),
        (image(deprecated_at=NOW - timedelta(seconds=1)), "it is deprecated"),
        (image(is_public=True), "anybody may launch it"),
        (image(snapshots=("snap-closed", PUBLIC_SNAPSHOT)), "anybody may read its snapshot snap-public"),
    ],
    ids=lambda one: f"{one.name!r} {one.state} {len(one.tags)}" if isinstance(one, MachineImage) else str(one),
)
def test_an_image_that_only_looks_like_the_events_is_passed_over_with_the_reason(
    make_event: MakeEvent, passed_over: MachineImage, reason: str | None
) -> None:
    with pytest.raises(ImageNotFound) as caught:
        images.resolve(make_event(), MemoryImages(passed_over), now=NOW)
    assert (reason or "invoke build-ami") in caught.value.hint
    older = image("ami-good", hours_old=99)
    chosen = images.choose(make_event(), MemoryImages(passed_over, older), now=NOW)
    assert chosen.image.image_id == "ami-good"
    assert chosen.passed_over == ((PassedOver(passed_over, reason),) if reason else ())


def test_an_image_to_be_deprecated_later_still_serves(make_event: MakeEvent) -> None:
    own = MemoryImages(image(deprecated_at=NOW + timedelta(days=1)))
    assert images.resolve(make_event(), own, now=NOW).image_id == "ami-1"


@pytest.mark.parametrize("name", ["flowers-manual", "flowers-manual 2026-11-20T10-00-00.123Z"])
def test_an_image_the_event_file_names_runs_untested(make_event: MakeEvent, name: str) -> None:
    event = make_event(worker={"ami_image_name": "flowers-manual"})
    chosen = images.choose(event, MemoryImages(image(name=name, tags={})), now=NOW)
    assert (chosen.image.image_id, chosen.image.status) == ("ami-1", "untested")
    assert (chosen.why, chosen.passed_over) == (Why.NEWEST_NAMED, ())


def test_of_the_images_the_event_file_names_verified_ones_go_first_then_tested_ones(make_event: MakeEvent) -> None:
    event = make_event(worker={"ami_image_name": "flowers-backend"})
    untested, tested = image("ami-untested", tags={}), image("ami-tested", hours_old=9, tags=TESTED)
    verified = image("ami-verified", hours_old=99)
    assert images.resolve(event, MemoryImages(untested), now=NOW).image_id == "ami-untested"
    assert images.resolve(event, MemoryImages(untested, tested), now=NOW).image_id == "ami-tested"
    assert images.resolve(event, MemoryImages(untested, tested, verified), now=NOW).image_id == "ami-verified"


@pytest.mark.parametrize(
    "unfit", [image(tags=REJECTED), image(is_public=True), image(snapshots=(PUBLIC_SNAPSHOT,)), image(state="pending")]
)
def test_an_unfit_image_is_not_taken_for_its_name_alone(make_event: MakeEvent, unfit: MachineImage) -> None:
    event = make_event(worker={"ami_image_name": "flowers-backend"})
    with pytest.raises(ImageNotFound):
        images.resolve(event, MemoryImages(unfit), now=NOW)
    assert images.resolve(event, MemoryImages(unfit, image("ami-0", tags={}, hours_old=9)), now=NOW).image_id == "ami-0"


def test_an_event_that_demands_a_verified_image_takes_no_other(make_event: MakeEvent) -> None:
    own = MemoryImages(image(IMAGE_ID, tags=TESTED))
    for names in ({"ami_image_name": "flowers-backend"}, {"ami_image_id": IMAGE_ID}):
        assert images.resolve(make_event(worker=names), own, now=NOW).image_id == IMAGE_ID
        with pytest.raises(ImageNotFound, match="verified") as caught:
            images.resolve(make_event(worker=names, require_verified=True), own, now=NOW)
        assert f"invoke verify-ami --event flowers_2026 --image {IMAGE_ID}" in caught.value.hint


def test_an_image_named_by_id_is_taken_as_it_is(make_event: MakeEvent) -> None:
    event = make_event(worker={"ami_image_id": IMAGE_ID})
    chosen = images.choose(event, MemoryImages(image(IMAGE_ID, "by hand", tags={}), image()), now=NOW)
    assert (chosen.image.name, chosen.image.status, chosen.why) == ("by hand", "untested", Why.BY_ID)


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (MemoryImages(), "own images"),
        (MemoryImages(image("ami-0123456789abcdef0", state="pending")), "is pending"),
        (MemoryImages(image("ami-0123456789abcdef0", tags=REJECTED)), "found unfit"),
        (MemoryImages(image("ami-0123456789abcdef0", is_public=True)), "anybody may launch it"),
        (MemoryImages(image("ami-0123456789abcdef0", snapshots=(PUBLIC_SNAPSHOT,))), "anybody may read"),
    ],
)
def test_an_id_is_refused_of_another_account_of_an_unfit_image_and_of_one_that_is_everybodys(
    make_event: MakeEvent, own: MemoryImages, reason: str
) -> None:
    with pytest.raises(ImageNotFound, match=reason) as caught:
        images.resolve(make_event(worker={"ami_image_id": IMAGE_ID}), own, now=NOW)
    assert caught.value.hint
    with pytest.raises(ImageNotFound, match=reason) as caught:
        images.resolve(make_event(), own, now=NOW, pinned=IMAGE_ID)
    assert caught.value.hint.endswith("invoke images --event flowers_2026 --use newest")


def test_an_event_that_is_held_stays_at_its_image_whatever_is_newer_or_named(make_event: MakeEvent) -> None:
    own = MemoryImages(image("ami-old", hours_old=99), image("ami-new"), image(IMAGE_ID))
    for worker in ({}, {"ami_image_id": IMAGE_ID}):
        chosen = images.choose(make_event(worker=worker), own, now=NOW, pinned="ami-old")
        assert (chosen.image.image_id, chosen.why) == ("ami-old", Why.PINNED)


def test_without_any_image_the_message_says_how_to_build_one(make_event: MakeEvent) -> None:
    with pytest.raises(ImageNotFound, match=r"no verified image 'flowers-backend'.*invoke build-ami"):
        images.resolve(make_event(), MemoryImages(), now=NOW)


def test_where_one_was_built_the_message_says_how_to_look_at_it(make_event: MakeEvent) -> None:
    with pytest.raises(
        ImageNotFound, match=r"invoke verify-ami --event flowers_2026 --image ami-1; passed over: ami-1"
    ):
        images.resolve(make_event(), MemoryImages(image(tags=TESTED)), now=NOW)


def test_a_named_image_that_is_still_being_tested_is_passed_over(make_event: MakeEvent) -> None:
    event = make_event(worker={"ami_image_name": "flowers-backend"})
    baking = image("ami-new", tags={"rampart:event": "flowers_2026", "rampart:bake": "0123"})
    own = MemoryImages(baking, image("ami-old", hours_old=9, tags={}))
    assert images.resolve(event, own, now=NOW).image_id == "ami-old"
