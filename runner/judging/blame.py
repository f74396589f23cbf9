"""Judge whose fault a job's end is, by its exit status, by what its log says."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from contracts.work import Blame, Cause, JobEnd, JobExit, Work
from runner.clip import clipped

_TRACEBACK = "Traceback (most recent call last)"
_AFTER_TRAINING = ("in run_submission_on_cv_fold", "in bag_submissions")
_IN_TRAINING = ("in train_test_submission", "in train_submission", "in test_submission")
_CRASHES = frozenset({"SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSYS", "SIGTRAP"})
_NEAR_THE_LIMIT = 0.9


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whose fault, why, in one sentence, and the log from its first traceback on (shortened, may be empty)."""

    blame: Blame
    cause: Cause
    message: str
    traceback: str = ""


def judge(work: Work, exit: JobExit, log: str, *, began: bool) -> Verdict:
    """Say whose fault it is that the job ended without scores.

    `began`: whether the submission's own code had its turn. What the log says is then the participant's word, so it
    can never blame anybody else. A job that exited with 0 is judged as one that left no scores.
    """
    traceback = traceback_in(log)
    match exit.end:
        case JobEnd.TIMEOUT:
            message = f"the time limit of {work.timeout_s:g} s was reached"
            return Verdict(Blame.PARTICIPANT, Cause.TIMEOUT, message, traceback)
        case JobEnd.OUT_OF_MEMORY:
            return Verdict(Blame.PARTICIPANT, Cause.OUT_OF_MEMORY, _memory_sentence(work, exit), traceback)
        case JobEnd.TOO_MANY_TASKS:
            message = f"the limit of {work.limits.tasks} processes and threads was passed"
            return Verdict(Blame.PARTICIPANT, Cause.TOO_MANY_TASKS, message, traceback)
        case JobEnd.FILE_TOO_LARGE:
            return Verdict(Blame.PARTICIPANT, Cause.FILE_TOO_LARGE, _file_sentence(work), traceback)
        case JobEnd.DISK_FULL:
            return Verdict(Blame.PARTICIPANT, Cause.DISK_FULL, _disk_sentence(work), traceback)
        case JobEnd.NOT_CONTAINED:
            said = _last_line(log)
            message = f"the event demands isolation: strict, and {said or 'this host cannot give it'}"
            return Verdict(Blame.ORGANISER, Cause.NOT_CONTAINED, message)
        case JobEnd.SIGNALLED:
            return _signalled(work, exit, traceback)
        case JobEnd.EXITED if began:
            return _submission_failed(work, exit, traceback)
        case JobEnd.EXITED:
            return _failed_before(exit, traceback, log)


def traceback_in(log: str) -> str:
    """Give the log from its first traceback on, shortened; empty where it has none."""
    start = log.find(_TRACEBACK)
    return clipped(log[start:].strip(), head=20_000, tail=40_000) if start >= 0 else ""


def _memory_sentence(work: Work, exit: JobExit) -> str:
    peak = f"{exit.peak_memory_bytes / 2**20:.0f} MiB were in use"
    if work.memory_limit_bytes is None:
        return f"the host's memory was used up: {peak}"
    return f"the memory limit of {work.memory_limit_bytes / 2**20:.0f} MiB was reached: {peak}"


def _file_sentence(work: Work) -> str:
    return f"a file grew past the limit of {work.limits.file_bytes / 2**20:.0f} MiB"


def _disk_sentence(work: Work) -> str:
    limit = f"{work.limits.disk_bytes / 2**20:.0f} MiB"
    return f"more was written to the disk than the limit of {limit}, the host's disk or its scratch folders allow"


def _signalled(work: Work, exit: JobExit, traceback: str) -> Verdict:
    """A crash of native code is the submission's; what else ends a job from outside is ours."""
    name = _signal_name(-exit.code)
    limit = work.memory_limit_bytes
    if name == "SIGKILL" and limit is not None and exit.peak_memory_bytes >= _NEAR_THE_LIMIT * limit:
        return Verdict(Blame.PARTICIPANT, Cause.OUT_OF_MEMORY, _memory_sentence(work, exit), traceback)
    if name in _CRASHES:
        return Verdict(Blame.PARTICIPANT, Cause.KILLED, f"the submission crashed with {name}", traceback)
    message = f"the job was ended by {name}, which nobody here sent"
    return Verdict(Blame.PLATFORM, Cause.KILLED, message, traceback)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _submission_failed(work: Work, exit: JobExit, traceback: str) -> Verdict:
    if exit.code == 0:
        return Verdict(Blame.PARTICIPANT, Cause.BAD_OUTPUT, "the run ended well but left no scores", traceback)
    if not traceback:
        message = f"the submission ended with exit code {exit.code} and no traceback"
        return Verdict(Blame.PARTICIPANT, Cause.RAISED, message)
    error = _last_line(traceback)
    if error.partition(":")[0].endswith("MemoryError"):
        return Verdict(Blame.PARTICIPANT, Cause.OUT_OF_MEMORY, _memory_sentence(work, exit), traceback)
    if "[Errno 27]" in error:  # as Python tells that a file may not grow
        return Verdict(Blame.PARTICIPANT, Cause.FILE_TOO_LARGE, _file_sentence(work), traceback)
    if "[Errno 28]" in error:
        return Verdict(Blame.PARTICIPANT, Cause.DISK_FULL, _disk_sentence(work), traceback)
    refused = any(place in traceback for place in _AFTER_TRAINING) and not any(
        place in traceback for place in _IN_TRAINING
    )
    if refused:
        message = f"the submission's predictions were refused: {error}"
        return Verdict(Blame.PARTICIPANT, Cause.BAD_OUTPUT, message, traceback)
    return Verdict(Blame.PARTICIPANT, Cause.RAISED, f"the submission raised {error}", traceback)


def _failed_before(exit: JobExit, traceback: str, log: str) -> Verdict:
    """Nothing of the submission ran yet: the kit, or the environment that should hold ramp-test."""
    if "problem.py" in traceback:
        message = f"the kit's problem.py failed before the submission's code ran: {_last_line(traceback)}"
        return Verdict(Blame.ORGANISER, Cause.KIT_BROKEN, message, traceback)
    said = _last_line(traceback or log) or "nothing was printed"
    message = f"ramp-test ended with exit code {exit.code} before the submission's code ran: {said}"
    return Verdict(Blame.ORGANISER, Cause.ENVIRONMENT_BROKEN, message, traceback)


def _last_line(text: str) -> str:
    """Give the last line that says something; of an error that is its type and message."""
    lines = [line.strip() for line in text.splitlines()]
    return clipped(next((line for line in reversed(lines) if line), ""), head=300, tail=100)
