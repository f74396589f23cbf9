"""The log of a build says which step of which component speaks, or failed."""

from __future__ import annotations

from imagebuilder.building.build_log import BuildLog, Place

ARN = "arn:aws:imagebuilder:eu-west-3:123456789012:component/{}/1.0.7/1"
INSTALL, TRY = Place("base", "build", "Install"), Place("challenge", "test", "Try it")
HEAD = ["Started step ApplyBuildComponents with action ExecuteComponents"]
INSTALLED = [
    f"Document {ARN.format('base')}",
    "Phase build",
    "Step Install",
    "ExecuteBash: STARTED EXECUTION",
    "Stdout: fine",
    "ExitCode 0",
    "ExecuteBash: FINISHED EXECUTION",
]
TRIED = [f"Document {ARN.format('challenge')}", "Phase test", "Step Try it", "ExecuteBash: STARTED EXECUTION"]
BROKEN = ["ExitCode 3", "ExecuteBash: FAILED EXECUTION", "Step Try it failed: exit code 3"]


def read(*lines: str) -> BuildLog:
    log = BuildLog()
    log.read(lines)
    return log


def test_the_step_that_speaks_is_known_by_component_phase_and_name() -> None:
    assert read(*HEAD).here is None
    assert read(*HEAD, *INSTALLED).here == INSTALL
    assert read(*HEAD, *INSTALLED, *TRIED).here == TRY
    assert read(*INSTALLED, "TOE has completed execution successfully").here is None
    assert str(TRY) == "challenge, phase test, step Try it"


def test_the_first_failed_step_counts_with_its_own_lines() -> None:
    log = read(*HEAD, *INSTALLED, *TRIED, "Stderr: oh", *BROKEN, "Step ApplyTestComponents FAILED: exit code 3")
    assert log.failed == TRY
    assert log.tail[:2] == ("Step Try it", "ExecuteBash: STARTED EXECUTION")
    assert "Stderr: oh" in log.tail
    assert "Stdout: fine" not in log.tail


def test_a_step_that_goes_on_after_another_failed_does_not_hide_it() -> None:
    log = read(*TRIED, "Stderr: oh", *BROKEN, "Step Next", "Stdout: much", "ExitCode 0")
    assert log.failed == TRY
    assert "Stderr: oh" in log.tail
    assert "Stdout: much" not in log.tail


def test_a_second_attempt_that_goes_well_is_no_failure() -> None:
    assert read(*TRIED, "ExitCode 100", "Attempt 2 of 3", "ExitCode 0").failed is None


def test_no_more_than_the_last_fifty_lines_are_kept() -> None:
    log = read(*TRIED, *(f"Stdout: {n}" for n in range(500)), *BROKEN)
    assert len(log.tail) == 50
    assert log.tail[-1] == "Step Try it failed: exit code 3"
    assert log.tail[0] == "Stdout: 453"


def test_without_a_failed_step_the_end_of_the_whole_log_is_shown() -> None:
    assert read(*(f"line {n}" for n in range(80))).tail == tuple(f"line {n}" for n in range(30, 80))


def test_what_a_script_prints_is_never_taken_for_the_log_itself() -> None:
    log = read(*TRIED, "Stdout: Step Install", "Stdout: ExitCode 1", "Stderr: Phase build")
    assert (log.here, log.failed) == (TRY, None)


def test_times_and_levels_before_the_words_do_not_matter() -> None:
    assert read(*(f"2026-11-20 10:00:00 Info {line}" for line in INSTALLED)).here == INSTALL


def test_the_failed_steps_exit_code_is_kept() -> None:
    assert read(*INSTALLED, *TRIED, *BROKEN).exit_code == 3
    assert (
        read(*TRIED, "ExecuteBash: FAILED EXECUTION", "Step Try it failed: timed out after 1 seconds").exit_code is None
    )
    assert read(*INSTALLED).exit_code is None


def test_of_several_failures_the_one_counts_that_the_service_blames() -> None:
    ignored = ["Document " + ARN.format("base"), "Phase build", "Step Install", "Stderr: never mind", "ExitCode 9"]
    log = read(*ignored, *TRIED, "Stderr: oh", *BROKEN)
    assert (log.failed, log.exit_code) == (INSTALL, 9)
    log.blame(TRY)
    assert (log.failed, log.exit_code) == (TRY, 3)
    assert "Stderr: oh" in log.tail
    assert "Stderr: never mind" not in log.tail


def test_a_blamed_step_that_the_log_does_not_show_yet_is_shown_by_the_logs_end() -> None:
    log = read(*INSTALLED)
    log.blame(TRY)
    assert not log.shows_failure_of(TRY)
    assert (log.failed, log.exit_code, log.tail) == (TRY, None, tuple(INSTALLED))
