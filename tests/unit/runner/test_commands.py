"""The command lines of the stages are values that can be compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from contracts.work import HostLayout, Work
from runner import commands

LAYOUT = HostLayout("/opt/rampart/kits/iris", "/opt/rampart/data", "/env/bin/python", "/env/bin/ramp-test")
WORK = Work(7, "iris", "team; rm -rf /", "$(name)", 2, Path("/s"), Path("/l"), Path("/p"), 7200.0)
JOB = "/home/ubuntu/.rampart/jobs/iris-7-2"


def test_ramp_test_is_run_on_the_job_folders_copy() -> None:
    assert commands.ramp_test(LAYOUT, JOB, WORK) == (
        *("/env/bin/ramp-test", "--submission", "submission_000000007"),
        *("--ramp-kit-dir", "/opt/rampart/kits/iris", "--ramp-data-dir", "/opt/rampart/data"),
        *("--ramp-submission-dir", f"{JOB}/submissions", "--save-output", "--ignore-warning"),
    )


def test_a_launch_names_only_the_limits_there_are() -> None:
    launch = (*("/env/bin/python", "-I", f"{JOB}/supervise.py", "launch", JOB), "--cwd", LAYOUT.kit_dir)
    job = ("--", *commands.ramp_test(LAYOUT, JOB, WORK))
    assert commands.launch(LAYOUT, JOB, WORK) == (*launch, "--timeout-s", "7200", *job)
    limited = replace(WORK, timeout_s=0.5, memory_limit_bytes=1024, n_threads=2)
    limits = ("--timeout-s", "0.5", "--memory-limit-bytes", "1024", "--n-threads", "2")
    assert commands.launch(LAYOUT, JOB, limited) == (*launch, *limits, *job)


def test_what_is_left_of_a_salvaged_run_is_run_by_the_script_that_was_pushed() -> None:
    rest = replace(WORK, salvaged=(0, 2))
    job = commands.run_folds(LAYOUT, JOB, rest)
    assert job[:2] == ("/env/bin/python", f"{JOB}/run_folds.py")
    assert job[2:10] == commands.ramp_test(LAYOUT, JOB, WORK)[1:9]
    assert job[10:] == ("--finished", f"{JOB}/finished")
    assert commands.launch(LAYOUT, JOB, rest)[-len(job) :] == job


def test_no_name_a_team_chose_is_in_any_command() -> None:
    every = [
        commands.unpack(commands.job_folder(WORK)),
        commands.launch(LAYOUT, JOB, WORK),
        commands.wait(LAYOUT, JOB),
        commands.pack(JOB, commands.output_folder(WORK)),
        commands.pack_finished(JOB, commands.output_folder(WORK)),
        commands.run_folds(LAYOUT, JOB, WORK),
        commands.end(LAYOUT, WORK),
    ]
    assert not any(text in word for argv in every for word in argv for text in (WORK.team, WORK.submission))


def test_every_attempt_has_a_folder_of_its_own() -> None:
    assert commands.job_folder(WORK) == ".rampart/jobs/iris-7-2"
    assert commands.job_folder(replace(WORK, attempt=3)) == ".rampart/jobs/iris-7-3"
