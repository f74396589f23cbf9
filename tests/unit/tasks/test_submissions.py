"""An organiser reads the whole log of a run, whatever the team is shown of it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts.errors import UnknownName
from runner.stages import log_files
from runner.store import SubmissionRow
from tasks.submissions import stored_log

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ROW = SubmissionRow(7, "red", "one", "scored", NOW, ended_at=NOW)


@pytest.fixture
def event(tmp_path: Path) -> Any:
    return SimpleNamespace(ramp=SimpleNamespace(logs_dir=tmp_path / "logs"), state_dir=tmp_path / "state")


def put(folder: Path, text: str) -> None:
    folder.mkdir(parents=True)
    (folder / "log").write_text(text)


def test_a_log_that_the_team_is_shown_whole_is_that_one(event: Any) -> None:
    put(event.ramp.logs_dir / "submission_000000007", "one\ntwo\n")
    assert stored_log(event, ROW) == ["one", "two"]


def test_what_the_team_is_not_shown_is_shown_to_the_organiser(event: Any) -> None:
    put(event.ramp.logs_dir / "submission_000000007", log_files.WITHHELD)
    put(log_files.whole_log_dir(event.state_dir, 7), "all\nof it\n")
    assert stored_log(event, ROW) == ["all", "of it"]


def test_a_run_without_a_log_says_so(event: Any) -> None:
    with pytest.raises(UnknownName, match="red/one left no log"):
        stored_log(event, ROW)
