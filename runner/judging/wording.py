"""Word a failure for those who read of it: the organiser, the team."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from contracts.work import Blame, Cause, Failed, Scored
from runner.judging.retry import BackToQueue
from runner.stages import log_text

T = TypeVar("T", bound=Scored | Failed | BackToQueue)

_WITHHELD = {
    Cause.TOO_MANY_TASKS: "the limit of processes and threads was passed",
    Cause.FILE_TOO_LARGE: "a file grew past the limit",
    Cause.DISK_FULL: "more was written to the disk than the limit allows",
    Cause.OUT_OF_MEMORY: "the memory limit was reached",
    Cause.KILLED: "the submission crashed",
    Cause.BAD_OUTPUT: "the run left nothing that can be scored",
    Cause.TRANSFER_REFUSED: "the run left files that are not accepted",
}


def cleared(outcome: T, redact: Callable[[str], str]) -> T:
    """Give an outcome whose texts hold no secret and nothing that a terminal obeys, whoever wrote them."""

    def clear(text: str) -> str:
        return redact(log_text.plain(text))

    match outcome:
        case Failed(message=message, traceback=traceback):
            return replace(outcome, message=clear(message), traceback=clear(traceback))
        case BackToQueue(reason=reason):
            return replace(outcome, reason=clear(reason))
        case _:
            return outcome


def sentence_for_team(failed: Failed) -> str:
    """Say in one sentence what became of a run; where its log is withheld, without a word of the job's.

    What is chosen from then are our own sentences and the names of Python's own exceptions.
    """
    if not failed.work.withholds_log:
        return failed.message
    if failed.cause is Cause.RAISED:
        return f"the submission raised {_builtin_in(failed.traceback) or 'an exception'}"
    if failed.cause is Cause.TIMEOUT:
        return f"the time limit of {failed.work.timeout_s:g} s was reached"
    if failed.blame is Blame.PARTICIPANT and failed.cause in _WITHHELD:
        return _WITHHELD[failed.cause]
    if failed.cause is Cause.CANCELLED:
        return failed.message
    return f"the run came to no result, which is no fault of the submission's ({failed.cause})"


def _builtin_in(traceback: str) -> str:
    """Give the name of the exception a traceback ends with where it is one of Python's own."""
    last = next((line for line in reversed(traceback.splitlines()) if line.strip()), "")
    name = last.partition(":")[0].strip()
    kind = getattr(builtins, name, None)
    return name if isinstance(kind, type) and issubclass(kind, BaseException) else ""
