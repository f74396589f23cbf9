"""Scores of different machine images are told apart, for they may not compare."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from contracts.image import ImageRecord, ImageStatus, Provenance
from runner.kit import ScoreType
from runner.store import Leaderboard, LeaderboardRow
from tasks.submissions import show_leaderboard

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
FIRST = LeaderboardRow(1, "red", "one", {"acc": 0.9}, {}, 1.0, 1.0, 1.0, NOW, "ami-1")
OTHER = replace(FIRST, submission_id=2, submission="two", image_id="ami-2")
NOWHERE = replace(FIRST, submission_id=3, submission="three", image_id="")
RECORD = ImageRecord(
    "ami-1", "iris-backend 2026-11-20T10-00-00Z", NOW, ImageStatus.VERIFIED, Provenance(kit="0123456789abcdef")
)


def shown(*rows: LeaderboardRow, capsys: pytest.CaptureFixture[str]) -> str:
    show_leaderboard(Leaderboard("iris", (ScoreType("acc", False),), rows), {"ami-1": RECORD})
    return capsys.readouterr().out


def test_scores_of_one_image_need_no_word_about_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert "image" not in shown(FIRST, replace(FIRST, submission="two"), capsys=capsys)


def test_scores_of_several_images_say_which_and_what_those_were_made_from(capsys: pytest.CaptureFixture[str]) -> None:
    _, heading, first, other, nowhere, *legend = shown(FIRST, OTHER, NOWHERE, capsys=capsys).splitlines()
    assert heading.split()[-1] == "image"
    assert [line.split()[-1] for line in (first, other, nowhere)] == ["2026-11-20T10-00-00Z", "ami-2", "-"]
    assert legend == [
        "scores come from several machine images, which may not compare:",
        "  2026-11-20T10-00-00Z: ami-1 (iris-backend 2026-11-20T10-00-00Z), kit 0123456789ab",
        "  ami-2: ami-2",
    ]
