"""The command lines of the stages are values that can be compared."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from contracts.work import HostLayout, Isolation, JobLimits, Work
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


def test_a_launch_names_only_the_limits_there_are_and_what_the_job_sees() -> None:
    launch = commands.launch(LAYOUT, JOB, WORK)
    start = ("/env/bin/python", "-I", "-B", f"{JOB}/supervise", "launch", JOB, "--cwd", LAYOUT.kit_dir)
    limits = ("--timeout-s", "7200", "--tasks", "1024", "--file-bytes", str(8 * 2**30), "--disk-bytes", str(20 * 2**30))
    seen = ("--show", LAYOUT.kit_dir, "--show", LAYOUT.data_dir, "--show", "/env")
    assert launch[4:] == ("ours", *start, *limits, *seen, "--add-user", "--", *commands.ramp_test(LAYOUT, JOB, WORK))
    few = JobLimits(tasks=20, cpus=1.5, file_bytes=30, disk_bytes=40)
    limited = replace(WORK, timeout_s=0.5, memory_limit_bytes=1024, n_threads=2, limits=few)
    low = ("--timeout-s", "0.5", "--tasks", "20", "--file-bytes", "30", "--disk-bytes", "40")
    rare = ("--memory-bytes", "1024", "--cpus", "1.5", "--n-threads", "2")
    assert commands.launch(LAYOUT, JOB, limited)[13 : 13 + len(low + rare)] == low + rare


def test_on_a_machine_with_other_purposes_no_user_is_made_and_what_is_private_is_hidden() -> None:
    layout = replace(LAYOUT, is_ours=False, hidden=("/deployment",))
    launch = commands.launch(layout, JOB, replace(WORK, isolation=Isolation.STRICT))
    assert launch[4] == "shared"
    assert "--add-user" not in launch
    assert launch[launch.index("--hide") + 1] == "/deployment"
    assert "--strict" in launch
    assert commands.end(layout, WORK)[-1] == "shared"


def test_what_is_left_of_a_salvaged_run_is_run_by_the_script_that_was_pushed() -> None:
    rest = replace(WORK, salvaged=(0, 2))
    job = commands.run_folds(LAYOUT, JOB, rest)
    assert job[:2] == ("/env/bin/python", f"{JOB}/run_folds.py")
    assert job[2:10] == commands.ramp_test(LAYOUT, JOB, WORK)[1:9]
    assert job[10:] == ("--finished", f"{JOB}/finished")
    assert commands.launch(LAYOUT, JOB, rest)[-len(job) :] == job


def test_a_job_without_labels_runs_on_what_was_pushed_and_the_hosts_kit_and_data_are_out_of_its_sight() -> None:
    job = commands.run_blind(LAYOUT, JOB, WORK)
    assert job == (
        *("/env/bin/python", f"{JOB}/run_blind.py", "--submission", "submission_000000007"),
        *("--ramp-kit-dir", f"{JOB}/kit", "--ramp-submission-dir", f"{JOB}/submissions"),
        *("--bundle", f"{JOB}/blind/bundle"),
    )
    launch = commands.launch(LAYOUT, JOB, WORK, is_blind=True)
    assert launch[-len(job) :] == job
    assert launch[launch.index("--cwd") + 1] == f"{JOB}/kit"
    options = list(pairwise(launch))
    assert [folder for option, folder in options if option == "--show"] == [f"{JOB}/kit", "/env"]
    assert [folder for option, folder in options if option == "--hide"] == [LAYOUT.kit_dir, LAYOUT.data_dir]


def test_what_is_left_of_a_salvaged_run_without_labels_is_run_by_the_same_script() -> None:
    rest = replace(WORK, salvaged=(0,))
    job = commands.run_blind(LAYOUT, JOB, rest)
    assert job == (*commands.run_blind(LAYOUT, JOB, WORK), "--finished", f"{JOB}/finished")
    assert commands.launch(LAYOUT, JOB, rest, is_blind=True)[-len(job) :] == job


def test_a_share_of_the_folds_is_run_by_a_job_of_its_own_name() -> None:
    share = replace(WORK, share=(1, 3))
    assert commands.job_folder(share) == ".rampart/jobs/iris-7-2-fold-1"
    assert commands.end(LAYOUT, share)[4] == commands.job_folder(share)
    jobs = {False: commands.run_folds(LAYOUT, JOB, share), True: commands.run_blind(LAYOUT, JOB, share)}
    for is_blind, job in jobs.items():
        assert job[-2:] == ("--folds", "1,3")
        assert commands.launch(LAYOUT, JOB, share, is_blind=is_blind)[-len(job) :] == job


def test_what_puts_folds_together_has_the_time_that_they_left_and_never_too_little() -> None:
    for spent_s, left in ((0.0, "7200"), (7000.0, "200"), (7199.0, "60")):
        last = commands.launch(LAYOUT, JOB, replace(WORK, salvaged=(0,), spent_s=spent_s))
        assert last[last.index("--timeout-s") + 1] == left


def test_no_name_a_team_chose_is_in_any_command() -> None:
    every = [
        commands.unpack(commands.job_folder(WORK)),
        commands.launch(LAYOUT, JOB, WORK),
        commands.wait(LAYOUT, JOB),
        commands.pack(JOB, commands.output_folder(WORK)),
        commands.pack_finished(JOB, commands.output_folder(WORK)),
        commands.run_folds(LAYOUT, JOB, WORK),
        commands.run_blind(LAYOUT, JOB, WORK),
        commands.end(LAYOUT, WORK),
    ]
    assert not any(text in word for argv in every for word in argv for text in (WORK.team, WORK.submission))


def test_every_attempt_has_a_folder_of_its_own() -> None:
    assert commands.job_folder(WORK) == ".rampart/jobs/iris-7-2"
    assert commands.job_folder(replace(WORK, attempt=3)) == ".rampart/jobs/iris-7-3"
