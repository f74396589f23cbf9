"""Build the command lines the stages run on a host."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from contracts.work import HostLayout, Work
from runner.job import follow as follower
from runner.job.supervise import MARK

SUPERVISOR = "supervise.py"
"""The supervisor's file name inside a job folder."""

RUN_FOLDS = "run_folds.py"
"""The file name, inside a job folder, of what runs the folds that are missing."""

FINISHED = "finished"
"""The folder, inside a job folder, of the folds an earlier attempt has finished."""

ALREADY_THERE = 75
"""Exit code of `unpack` and `launch`: this attempt was pushed, or launched, before."""

LOST = 70
"""Exit code of `wait`: the supervisor is gone and left no exit record."""

_UNPACK = f"""
set -eu; umask 077; cd "$HOME"
if [ -e "$1" ]; then cd "$1"; pwd -P; exit {ALREADY_THERE}; fi
rm -rf "$1.part"; mkdir -p "$1.part"; tar -x -f - -C "$1.part"; mv "$1.part" "$1"; cd "$1"; pwd -P
"""

_PACK = """
set -eu; cd "$1"
if [ -d "$2" ]; then exec tar -c -f - log "$2"; else exec tar -c -f - log; fi
"""

# ramp-test writes a fold's scores last and in one go: where they are, the fold is finished
_PACK_FINISHED = """
set -eu; cd "$1/$2" 2>/dev/null || cd "$1"
set --
for fold in fold_[0-9]*; do if [ -s "$fold/scores.csv" ]; then set -- "$@" "$fold"; fi; done
exec tar -c -f - -T /dev/null "$@"
"""

# flock(1), where the host has it, waits for a tenth of what another Python costs beside the job it waits for
_WAIT = """
if command -v flock >/dev/null && flock -s "$1/lock" true && [ -f "$1/exit" ]; then exec cat "$1/exit"; fi
exec "$2" -I "$1/$3" wait "$1"
"""

# the supervisor's `kill` is a Python's start, saved where its lock is free and no process bears the job's mark
_END = f"""
cd "$HOME" && [ -e "$1" ] || exit 0
over() {{
    [ -d /proc/self ] && command -v flock >/dev/null && command -v grep >/dev/null || return 1
    folder=$(cd "$1" && pwd -P) && [ -e "$folder/lock" ] && flock -sn "$folder/lock" true || return 1
    grep -qsF "{MARK}=$folder" /proc/[0-9]*/environ && return 1 || return 0
}}
over "$1" || "$2" -I "$1/$3" kill "$1" && rm -rf -- "$1"
"""


def job_folder(work: Work) -> str:
    """The folder of one attempt, relative to the login user's home."""
    return f".rampart/jobs/{work.event}-{work.submission_id}-{work.attempt}"


def submission_folder(work: Work) -> str:
    """Where the submission lies inside its job folder; named by id, so no team's text reaches a command line."""
    return f"submissions/{work.submission_key}"


def output_folder(work: Work) -> str:
    """Where ramp-test leaves what it made, inside the job folder."""
    return f"{submission_folder(work)}/training_output"


def unpack(folder: str) -> tuple[str, ...]:
    """Make a job folder from a tar on standard input, whole or not at all; prints its absolute path, in any case."""
    return ("sh", "-c", _UNPACK, "sh", folder)


def pack(job_dir: str, output: str) -> tuple[str, ...]:
    """Write the log, then the output folder where there is one, as a tar to standard output."""
    return ("sh", "-c", _PACK, "sh", job_dir, output)


def pack_finished(job_dir: str, output: str) -> tuple[str, ...]:
    """Write the finished folds as a tar to standard output while the job runs."""
    return ("sh", "-c", _PACK_FINISHED, "sh", job_dir, output)


def launch(layout: HostLayout, job_dir: str, work: Work) -> tuple[str, ...]:
    """Start the supervisor with a submission's job, detached; returns when the job's lock is held."""
    options = ["--cwd", layout.kit_dir, "--timeout-s", f"{work.timeout_s:g}"]
    if work.memory_limit_bytes is not None:
        options += ["--memory-limit-bytes", str(work.memory_limit_bytes)]
    if work.n_threads is not None:
        options += ["--n-threads", str(work.n_threads)]
    job = run_folds if work.salvaged else ramp_test
    return (*_supervisor(layout, job_dir), "launch", job_dir, *options, "--", *job(layout, job_dir, work))


def ramp_test(layout: HostLayout, job_dir: str, work: Work) -> tuple[str, ...]:
    """Train and score one submission, RAMP's way."""
    return (layout.ramp_test, *_what_to_run(layout, job_dir, work), "--save-output", "--ignore-warning")


def run_folds(layout: HostLayout, job_dir: str, work: Work) -> tuple[str, ...]:
    """Do what `ramp_test` does, without training the folds an earlier attempt has finished."""
    script = (layout.python, f"{job_dir}/{RUN_FOLDS}")
    return (*script, *_what_to_run(layout, job_dir, work), "--finished", f"{job_dir}/{FINISHED}")


def wait(layout: HostLayout, job_dir: str) -> tuple[str, ...]:
    """Block until the job has ended, then print its exit record as JSON."""
    return ("sh", "-c", _WAIT, "sh", job_dir, layout.python, SUPERVISOR)


def follow(layout: HostLayout, job_dir: str, offset: int) -> tuple[str, ...]:
    """Print the job's log from a byte on, as it grows, until the job ends."""
    return (layout.python, "-I", "-c", _follower(), job_dir, str(offset))


def end(layout: HostLayout, work: Work) -> tuple[str, ...]:
    """End an attempt's job where it still runs, then delete its folder; nothing to do is fine."""
    return ("sh", "-c", _END, "sh", job_folder(work), layout.python, SUPERVISOR)


def _what_to_run(layout: HostLayout, job_dir: str, work: Work) -> tuple[str, ...]:
    return (
        *("--submission", work.submission_key),
        *("--ramp-kit-dir", layout.kit_dir),
        *("--ramp-data-dir", layout.data_dir),
        *("--ramp-submission-dir", f"{job_dir}/submissions"),
    )


@cache
def _follower() -> str:
    return Path(follower.__file__).read_text(encoding="utf-8")


def _supervisor(layout: HostLayout, job_dir: str) -> tuple[str, ...]:
    return (layout.python, "-I", f"{job_dir}/{SUPERVISOR}")
