"""An old image goes unless something keeps it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.image import MachineImage
from imagebuilder.retiring import fates

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def image(days_old: int, *, state: str = "available", **tags: str) -> MachineImage:
    named = {f"rampart:{name}": value for name, value in tags.items()}
    return MachineImage(f"ami-{days_old}", f"iris {days_old}", NOW - timedelta(days=days_old), state, named)


def gone(*images: MachineImage, keep: int = 1, **more: object) -> list[str]:
    judged = fates(images, keep=keep, needs=more.pop("needs", {}), **more)  # type: ignore[arg-type]
    return [one.image.image_id for one in judged if one.may_go]


@pytest.mark.parametrize(("keep", "expected"), [(1, ["ami-2", "ami-3"]), (2, ["ami-3"]), (3, []), (9, [])])
def test_the_newest_stay(keep: int, expected: list[str]) -> None:
    assert gone(image(3), image(1), image(2), keep=keep) == expected


def test_one_that_somebody_needs_stays_and_takes_no_ones_place() -> None:
    assert gone(image(3), image(1), image(2), needs={"ami-3": ["pinned: iris"]}) == ["ami-2"]


def test_one_with_the_tag_to_be_kept_stays_whatever_its_value() -> None:
    assert gone(image(1), image(2, keep="for the paper"), image(3, keep="")) == []


def test_one_that_is_being_made_stays_and_a_failed_one_goes_and_neither_counts() -> None:
    judged = (image(1, state="pending"), image(2, state="failed"), image(3), image(4))
    assert gone(*judged) == ["ami-2", "ami-4"]


def test_what_was_made_since_a_build_began_may_be_its_own() -> None:
    assert gone(image(1), image(2), image(3), build_since=NOW - timedelta(days=2)) == ["ami-3"]


def test_every_reason_is_told() -> None:
    (fate,) = fates([image(1, keep="true")], keep=3, needs={"ami-1": ["pinned: iris", "1 run under way"]})
    assert fate.kept_for == (
        "pinned: iris", "1 run under way", "it has the tag rampart:keep", "it is among the newest 3",
    )  # fmt: skip
