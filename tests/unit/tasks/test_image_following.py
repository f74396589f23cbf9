"""Who serves an event is told once which image its hosts have, and once more when it is another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.image import ImageReference, ImageStatus
from imagebuilder.images import Choice, Why
from runner.store import Database, ImageRecords, upgrade
from tasks import image_following

MADE_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def choice(image_id: str, status: ImageStatus = ImageStatus.VERIFIED, why: Why = Why.NEWEST_VERIFIED) -> Choice:
    return Choice(ImageReference(image_id, f"iris {image_id[-1]}", MADE_AT, status), why)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[ImageRecords]:
    database = Database(f"sqlite:///{tmp_path}/event.db")
    upgrade(database)
    yield ImageRecords(database)
    database.close()


def said(choices: list[Choice], records: ImageRecords, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Ask once for each choice; gives the lines that were said."""
    answers = iter(choices)
    follow = image_following.Followed("iris", lambda: (lambda: next(answers), records))
    assert [follow().image_id for _ in choices] == [one.image.image_id for one in choices]
    return capsys.readouterr().err.splitlines()


def test_a_change_is_said_once(records: ImageRecords, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = choice("ami-1"), choice("ami-2", why=Why.PINNED)
    assert said([first, first, second, second], records, capsys) == [
        "image ami-1 (iris 1), verified",
        "image ami-2 (iris 2), verified, where the event is pinned, from now on",
    ]
    assert sorted(one.image_id for one in records.all("iris")) == ["ami-1", "ami-2"]


@pytest.mark.parametrize("status", [ImageStatus.TESTED, ImageStatus.UNTESTED])
def test_an_image_nobody_looked_at_is_warned_of_once(
    status: ImageStatus, records: ImageRecords, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = said([choice("ami-1", status)] * 3, records, capsys)
    assert lines[0] == f"image ami-1 (iris 1), {status}"
    (warning,) = lines[1:]
    assert "not verified" in warning
    assert "invoke verify-ami --event iris --image ami-1" in warning
