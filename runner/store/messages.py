"""Say a failure in RAMP's columns: its state, its error message."""

from __future__ import annotations

from contracts.work import Blame, Cause, Failed
from runner.store.tables import State

_HEAD_CHARS = 4_000
_TAIL_CHARS = 16_000


def state_of(failed: Failed) -> State:
    """`training_error` is the participant's (a time-out too, as in RAMP); everything else is `checking_error`."""
    return State.TRAINING_ERROR if failed.blame is Blame.PARTICIPANT else State.CHECKING_ERROR


def error_message(failed: Failed) -> str:
    """Give what RAMP shows the team: the traceback, or the sentence where there is none or it tells less.

    Without NUL, which PostgreSQL cannot hold, and bounded; of a long one beginning and end are kept.
    """
    if failed.traceback and failed.cause is Cause.RAISED:
        text = failed.traceback
    else:
        text = "\n\n".join(part for part in (failed.message, failed.traceback) if part)
    clean = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    left_out = len(clean) - _HEAD_CHARS - _TAIL_CHARS
    if left_out <= 0:
        return clean
    return f"{clean[:_HEAD_CHARS]}\n... {left_out} characters left out ...\n{clean[-_TAIL_CHARS:]}"
