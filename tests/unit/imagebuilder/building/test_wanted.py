"""An image is built unless the newest one was made from just this."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.image import EVENT_TAG, RECIPE_TAG, STATUS_TAG, MachineImage
from imagebuilder.building import wanted

NOW = datetime(2026, 11, 20, tzinfo=UTC)
BASE, EVENT, RECIPE = "iris-backend", "iris", "1.0.7"


def image(number: int = 1, *, recipe: str = RECIPE, status: str = "tested", **changes: Any) -> MachineImage:
    made: dict[str, Any] = {
        "image_id": f"ami-{number}",
        "name": f"{BASE} 2026-11-{number:02}T00-00-00Z",
        "created_at": NOW - timedelta(days=30 - number),
        "state": "available",
        "tags": {EVENT_TAG: EVENT, RECIPE_TAG: recipe, STATUS_TAG: status},
    }
    return MachineImage(**{**made, **changes})


def found(*images: MachineImage) -> str | None:
    there = wanted.built_already(images, base=BASE, event=EVENT, recipe=RECIPE, now=NOW)
    return there.image_id if there else None


@pytest.mark.parametrize("status", ["tested", "verified"])
def test_an_image_of_the_same_recipe_is_not_built_again(status: str) -> None:
    assert found(image(1, recipe="1.0.6"), image(2, status=status)) == "ami-2"


def test_going_back_to_an_older_recipe_is_a_change_too() -> None:
    assert found(image(1), image(2, recipe="1.0.8")) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "rejected"},
        {"status": "untested"},
        {"state": "pending"},
        {"deprecated_at": NOW - timedelta(days=1)},
        {"name": BASE},
        {"name": f"{BASE}-next 2026"},
        {"tags": {EVENT_TAG: "another", RECIPE_TAG: RECIPE, STATUS_TAG: "tested"}},
        {"tags": {EVENT_TAG: EVENT, STATUS_TAG: "tested"}},
    ],
)
def test_an_image_that_cannot_be_used_or_is_anothers_does_not_count(changes: dict[str, Any]) -> None:
    assert found(image(1, **changes)) is None


def test_an_image_that_does_not_count_does_not_hide_the_one_before_it() -> None:
    assert found(image(1), image(2, status="rejected")) == "ami-1"
