"""Say a failure in RAMP's columns: its state, its error message."""

from __future__ import annotations

from contracts.work import Blame, Cause, Failed
from runner.clip import clipped
from runner.judging.wording import sentence_for_team
from runner.stages.log_text import shortened
from runner.store.tables import State


def state_of(failed: Failed) -> State:
    """`training_error` is the participant's (a time-out too, as in RAMP); everything else is `checking_error`."""
    return State.TRAINING_ERROR if failed.blame is Blame.PARTICIPANT else State.CHECKING_ERROR


def error_message(failed: Failed) -> str:
    """Give what RAMP shows the team: the traceback, or the sentence where there is none or it tells less.

    Without what PostgreSQL cannot hold (NUL, lone surrogates), within what the event shows of a log; the sentence alone
    where it shows none.
    """
    if failed.work.withholds_log:
        return storable(sentence_for_team(failed))
    if failed.traceback and failed.cause is Cause.RAISED:
        text = failed.traceback
    else:
        text = "\n\n".join(part for part in (failed.message, failed.traceback) if part)
    return shortened(clipped(storable(text), head=4_000, tail=16_000), failed.work.shown_log_bytes)


def storable(text: str) -> str:
    """Give the text without characters a database refuses."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
