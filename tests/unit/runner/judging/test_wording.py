"""A failure is worded so that it harms nobody who reads of it, and tells a team no more than it may know."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from contracts.redaction import Redactor
from contracts.work import Blame, Cause, Failed, Work
from runner.judging.retry import BackToQueue
from runner.judging.wording import cleared, sentence_for_team

NOWHERE = Path("/nowhere")
WORK = Work(7, "iris", "red", "one", 1, NOWHERE, NOWHERE, NOWHERE, 60)
WITHHELD = replace(WORK, withholds_log=True)
HIDDEN_DATA = "row 17 is a setosa"


def test_what_a_failure_tells_holds_no_secret_and_nothing_a_terminal_obeys() -> None:
    text = "\x1b[2Jlost postgresql://me:hu\u200bnter22@db/x and hunter22"
    shown = "lost postgresql://me:***@db/x and ***"
    redact = Redactor(["hunter22"])
    failed = cleared(Failed(WORK, Blame.PLATFORM, Cause.INTERNAL, text, text), redact)
    assert (failed.message, failed.traceback) == (shown, shown)
    assert cleared(BackToQueue(text), redact).reason == shown


def test_a_team_reads_the_whole_sentence_where_logs_are_not_withheld() -> None:
    assert sentence_for_team(Failed(WORK, Blame.PARTICIPANT, Cause.RAISED, HIDDEN_DATA)) == HIDDEN_DATA


@pytest.mark.parametrize(
    ("traceback", "sentence"),
    [
        (f"Traceback\nValueError: {HIDDEN_DATA}\n", "the submission raised ValueError"),
        ("Traceback\nKeyboardInterrupt\n\n", "the submission raised KeyboardInterrupt"),
        (f"Traceback\nclassifier.Row17IsASetosa: {HIDDEN_DATA}", "the submission raised an exception"),
        (f"Traceback\nprint: {HIDDEN_DATA}", "the submission raised an exception"),
        (HIDDEN_DATA, "the submission raised an exception"),
        ("", "the submission raised an exception"),
    ],
)
def test_of_an_exception_a_team_learns_at_most_pythons_own_name(traceback: str, sentence: str) -> None:
    failed = Failed(WITHHELD, Blame.PARTICIPANT, Cause.RAISED, f"the submission raised {HIDDEN_DATA}", traceback)
    assert sentence_for_team(failed) == sentence


@pytest.mark.parametrize("blame", Blame)
@pytest.mark.parametrize("cause", [each for each in Cause if each is not Cause.CANCELLED])
def test_no_word_of_the_jobs_is_in_a_withheld_sentence(blame: Blame, cause: Cause) -> None:
    said = {sentence_for_team(Failed(WITHHELD, blame, cause, text, text)) for text in (HIDDEN_DATA, "another row")}
    assert len(said) == 1
    assert "row" not in said.pop()
