"""A failure's columns are what RAMP shows, and what any database can hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from contracts.work import Blame, Cause, Failed, Work
from runner.store.messages import error_message, state_of
from runner.store.tables import State

NOWHERE = Path("/nowhere")
WORK = Work(7, "iris", "red", "one", 1, NOWHERE, NOWHERE, NOWHERE, 60)


@pytest.mark.parametrize(
    ("blame", "state"),
    [
        (Blame.PARTICIPANT, State.TRAINING_ERROR),
        (Blame.ORGANISER, State.CHECKING_ERROR),
        (Blame.PLATFORM, State.CHECKING_ERROR),
    ],
)
def test_only_the_participants_fault_is_a_training_error(blame: Blame, state: State) -> None:
    assert state_of(Failed(WORK, blame, Cause.KILLED, "")) is state


def test_a_traceback_is_shown_as_it_is() -> None:
    failed = Failed(WORK, Blame.PARTICIPANT, Cause.RAISED, "the submission raised X", "Traceback: X")
    assert error_message(failed) == "Traceback: X"


def test_the_sentence_is_shown_where_a_traceback_tells_less() -> None:
    failed = Failed(WORK, Blame.PARTICIPANT, Cause.TIMEOUT, "the time limit was reached", "Traceback: X")
    assert error_message(failed) == "the time limit was reached\n\nTraceback: X"


def test_nothing_is_kept_that_a_database_refuses() -> None:
    failed = Failed(WORK, Blame.PARTICIPANT, Cause.KILLED, "a\0b\ud800c")
    assert error_message(failed) == "ab?c"


def test_megabytes_are_shortened_to_their_two_ends() -> None:
    text = error_message(Failed(WORK, Blame.PARTICIPANT, Cause.RAISED, "", "first" + "x" * 2_000_000 + "last"))
    assert text.startswith("first")
    assert text.endswith("last")
    assert "1980009 characters left out" in text


def test_a_team_is_shown_no_more_of_a_log_than_the_event_says() -> None:
    work = replace(WORK, shown_log_bytes=1024)
    text = error_message(Failed(work, Blame.PARTICIPANT, Cause.RAISED, "", "first" + "é" * 3000 + "last"))
    assert len(text.encode("utf-8")) <= 1024
    assert (text[:5], text[-4:]) == ("first", "last")


def test_a_withheld_log_leaves_a_team_one_sentence() -> None:
    work = replace(WORK, withholds_log=True)
    failed = Failed(work, Blame.PARTICIPANT, Cause.RAISED, "the submission raised OSError: x", "Traceback\nOSError: x")
    assert error_message(failed) == "the submission raised OSError"
