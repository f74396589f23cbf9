"""A team finds what it may read of a log, the organiser all of it."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from contracts.redaction import BY_LOOK, Redactor
from contracts.work import Work
from runner.stages import log_files

LONG = b"first " + b"word " * 1000 + b"last"


@pytest.fixture
def work(tmp_path: Path) -> Work:
    whole = log_files.whole_log_dir(tmp_path / "state", 7)
    return Work(
        *(7, "iris", "red", "one", 1, tmp_path, tmp_path / "logs", tmp_path, 60.0),
        shown_log_bytes=1024,
        whole_log_dir=whole,
    )


def shown(work: Work) -> str:
    return (work.logs_dir / work.submission_key / "log").read_text()


def test_a_short_log_is_shown_whole_and_kept_once(work: Work) -> None:
    path = log_files.place(b"\x1b[31mhello\x1b[0m hunter22", work, Redactor(["hunter22"]))
    assert path == work.logs_dir / work.submission_key / "log"
    assert shown(work) == "hello ***"
    assert work.whole_log_dir is not None
    assert not work.whole_log_dir.exists()


def test_of_a_long_log_the_team_is_shown_the_ends_and_the_organiser_keeps_all(work: Work) -> None:
    path = log_files.place(LONG, work, BY_LOOK)
    assert len(shown(work)) <= 1024
    assert (shown(work)[:5], shown(work)[-4:]) == ("first", "last")
    assert path.read_bytes() == LONG
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("log", [b"", b"row 17 is a setosa", LONG])
def test_of_a_withheld_log_the_team_is_shown_nothing_not_even_its_length(work: Work, log: bytes) -> None:
    path = log_files.place(log, replace(work, withholds_log=True), BY_LOOK)
    assert shown(work) == log_files.WITHHELD
    assert path.read_bytes() == log
    assert path != work.logs_dir / work.submission_key / "log"


def test_a_withheld_log_that_nobody_keeps_is_gone(work: Work) -> None:
    path = log_files.place(LONG, replace(work, withholds_log=True, whole_log_dir=None), BY_LOOK)
    assert path.read_text() == log_files.WITHHELD


def test_the_log_of_an_earlier_run_does_not_stay_beside_a_later_one(work: Work) -> None:
    log_files.place(LONG, work, BY_LOOK)
    path = log_files.place(b"short", work, BY_LOOK)
    assert work.whole_log_dir is not None
    assert list(work.whole_log_dir.iterdir()) == []
    assert path.read_text() == shown(work) == "short"
    assert [each.name for each in path.parent.iterdir()] == ["log"]
