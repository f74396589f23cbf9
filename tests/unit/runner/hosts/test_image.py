"""The image for new hosts is asked for now and then, and known when nobody answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from contracts.errors import CloudError, ImageNotFound
from contracts.image import ImageReference
from runner.hosts import CurrentImage

MADE_AT = datetime(2026, 11, 20, tzinfo=UTC)
FIRST = ImageReference("ami-1", "iris-backend 1", MADE_AT)
SECOND = ImageReference("ami-2", "iris-backend 2", MADE_AT)


class Bench:
    """A clock to set, and an answer to change."""

    def __init__(self) -> None:
        self.time_s = 0.0
        self.asked = 0
        self.answer: Callable[[], ImageReference] = lambda: SECOND
        self.current = CurrentImage(self._ask, first=FIRST, clock=lambda: self.time_s, fresh_s=30.0)

    def _ask(self) -> ImageReference:
        self.asked += 1
        return self.answer()

    def says(self, error: Exception) -> None:
        def fail() -> ImageReference:
            raise error

        self.answer = fail


def test_a_fresh_answer_is_used_again_and_an_old_one_asked_for() -> None:
    bench = Bench()
    bench.time_s = 29.9
    assert (bench.current(), bench.asked) == ("ami-1", 0)
    bench.time_s = 30.0
    assert (bench.current(), bench.current(), bench.asked) == ("ami-2", "ami-2", 1)


def test_where_nobody_answers_the_last_known_image_is_used_and_it_is_said(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.says(CloudError("EC2 is away"))
    bench.time_s = 31.0
    assert bench.current() == "ami-1"
    assert "EC2 is away: launching from ami-1 as before" in caplog.text
    assert (bench.current(), bench.asked) == ("ami-1", 1)


def test_that_there_is_no_usable_image_any_more_is_an_answer_and_asked_about_again() -> None:
    bench = Bench()
    bench.says(ImageNotFound("found unfit"))
    bench.time_s = 31.0
    with pytest.raises(ImageNotFound):
        bench.current()
    bench.answer = lambda: SECOND
    assert bench.current() == "ami-2"
