"""A failure's columns are what RAMP shows, and what any database can hold."""

from __future__ import annotations

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
