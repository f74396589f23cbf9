"""Whose fault a failed run is, for every way a job can end and every log a real ramp-test left."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.work import Blame, Cause, JobEnd, JobExit, Work
from runner.judging.blame import judge, traceback_in

LOGS = Path(__file__).parents[3] / "data" / "scores" / "logs"
MIB = 2**20
NOWHERE = Path("/nowhere")


def work(memory_limit_mib: int | None = 500) -> Work:
    limit = None if memory_limit_mib is None else memory_limit_mib * MIB
    return Work(7, "iris", "red", "one", 1, NOWHERE, NOWHERE, NOWHERE, timeout_s=60, memory_limit_bytes=limit)


def ended(end: JobEnd, code: int, peak_mib: int = 100) -> JobExit:
    return JobExit(end, code, wall_time_s=1.0, cpu_time_s=1.0, peak_memory_bytes=peak_mib * MIB, output_bytes=10)


@pytest.mark.parametrize(
    ("log", "blame", "cause", "message"),
    [
        ("raises", Blame.PARTICIPANT, Cause.RAISED, "the submission raised ValueError: could not convert label to"),
        ("no_syntax", Blame.PARTICIPANT, Cause.RAISED, "the submission raised SyntaxError: invalid syntax"),
        ("imports_nothing", Blame.PARTICIPANT, Cause.RAISED, "the submission raised ModuleNotFoundError: No module"),
        ("empty", Blame.PARTICIPANT, Cause.RAISED, "the submission raised FileNotFoundError"),
        ("exits_3", Blame.PARTICIPANT, Cause.RAISED, "the submission ended with exit code 3 and no traceback"),
        ("out_of_memory", Blame.PARTICIPANT, Cause.OUT_OF_MEMORY, "the memory limit of 500 MiB was reached"),
        ("wrong_shape", Blame.PARTICIPANT, Cause.BAD_OUTPUT, "the submission's predictions were refused: ValueError"),
        ("predicts_nan", Blame.PARTICIPANT, Cause.BAD_OUTPUT, "the submission's predictions were refused: ValueError"),
        ("kit_import_fails", Blame.ORGANISER, Cause.KIT_BROKEN, "the kit's problem.py failed before"),
        ("kit_without_data", Blame.ORGANISER, Cause.KIT_BROKEN, "the kit's problem.py failed before"),
        ("kit_missing", Blame.ORGANISER, Cause.KIT_BROKEN, "the kit's problem.py failed before"),
        ("no_ramp_workflow", Blame.ORGANISER, Cause.ENVIRONMENT_BROKEN, "ramp-test ended with exit code 3 before"),
    ],
)
def test_a_log_of_ramp_test_is_judged(log: str, blame: Blame, cause: Cause, message: str) -> None:
    text = (LOGS / f"{log}.log").read_text()
    verdict = judge(work(), ended(JobEnd.EXITED, 3), text, began="CV fold 0" in text)
    assert (verdict.blame, verdict.cause) == (blame, cause)
    assert verdict.message.startswith(message)
    assert verdict.traceback.startswith("Traceback") or log == "exits_3"


@pytest.mark.parametrize(
    ("exit", "limit_mib", "blame", "cause", "message"),
    [
        (ended(JobEnd.TIMEOUT, -9), 500, Blame.PARTICIPANT, Cause.TIMEOUT, "the time limit of 60 s was reached"),
        (
            ended(JobEnd.OUT_OF_MEMORY, -9, 512),
            500,
            Blame.PARTICIPANT,
            Cause.OUT_OF_MEMORY,
            "the memory limit of 500 MiB was reached: 512 MiB were in use",
        ),
        (
            ended(JobEnd.OUT_OF_MEMORY, -9, 512),
            None,
            Blame.PARTICIPANT,
            Cause.OUT_OF_MEMORY,
            "the host's memory was used up: 512 MiB were in use",
        ),
        (ended(JobEnd.SIGNALLED, -11), 500, Blame.PARTICIPANT, Cause.KILLED, "the submission crashed with SIGSEGV"),
        (
            ended(JobEnd.SIGNALLED, -9, 480),
            500,
            Blame.PARTICIPANT,
            Cause.OUT_OF_MEMORY,
            "the memory limit of 500 MiB was reached: 480 MiB were in use",
        ),
        (
            ended(JobEnd.SIGNALLED, -9),
            500,
            Blame.PLATFORM,
            Cause.KILLED,
            "the job was ended by SIGKILL, which nobody here sent",
        ),
        (
            ended(JobEnd.SIGNALLED, -99),
            500,
            Blame.PLATFORM,
            Cause.KILLED,
            "the job was ended by signal 99, which nobody here sent",
        ),
        (ended(JobEnd.EXITED, 0), 500, Blame.PARTICIPANT, Cause.BAD_OUTPUT, "the run ended well but left no scores"),
    ],
)
def test_an_end_is_judged(exit: JobExit, limit_mib: int | None, blame: Blame, cause: Cause, message: str) -> None:
    verdict = judge(work(limit_mib), exit, "", began=True)
    assert (verdict.blame, verdict.cause, verdict.message) == (blame, cause, message)


def test_a_submission_that_prints_the_organisers_traceback_is_still_to_blame() -> None:
    log = "CV fold 0\n" + (LOGS / "kit_import_fails.log").read_text()
    verdict = judge(work(), ended(JobEnd.EXITED, 1), log, began=True)
    assert verdict.blame is Blame.PARTICIPANT


def test_a_job_that_says_nothing_before_it_fails_is_no_participants_fault() -> None:
    verdict = judge(work(), ended(JobEnd.EXITED, 127), "", began=False)
    assert verdict.blame is Blame.ORGANISER
    assert verdict.message.endswith("nothing was printed")


def test_a_traceback_of_megabytes_is_shortened_to_its_two_ends() -> None:
    traceback = traceback_in("before\nTraceback (most recent call last):\n" + "x" * 5_000_000 + "\nValueError: it")
    assert traceback.startswith("Traceback")
    assert traceback.endswith("ValueError: it")
    assert len(traceback) < 70_000
