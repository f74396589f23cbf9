"""Build the command lines the stages run on a host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath

from contracts.work import HostLayout, Isolation, Work
from runner.job import follow as follower
from runner.job.pushed import SUPERVISOR
from runner.job.supervisor.environment import MARK
from runner.scoring import bundle

RUN_FOLDS = "run_folds.py"
"""The file name, inside a job folder, of what runs the folds that are missing."""

RUN_BLIND = "run_blind.py"
"""The file name, inside a job folder, of what trains and predicts without a test label."""

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

# a folder that leads elsewhere by a link is not the job's output, but what the link's maker wants of the host
_IS_ITS_OWN = """
is_its_own() { [ -d "$1/$2" ] && [ "$(cd "$1/$2" && pwd -P)" = "$(cd "$1" && pwd -P)/$2" ]; }
"""

_PACK = f"""
set -eu; cd "$1"
{_IS_ITS_OWN}
if is_its_own "$1" "$2"; then exec tar -c -f - log "$2"; else exec tar -c -f - log; fi
"""

# the file that is written last, and in one go, tells that a fold is finished
_PACK_FINISHED = f"""
set -eu
{_IS_ITS_OWN}
if is_its_own "$1" "$2"; then cd "$1/$2"; else cd "$1"; fi
last=$3; set --
for fold in fold_[0-9]*; do if [ ! -L "$fold" ] && [ -s "$fold/$last" ]; then set -- "$@" "$fold"; fi; done
exec tar -c -f - -T /dev/null "$@"
"""

# flock(1), where the host has it, waits for a tenth of what another Python costs beside the job it waits for
_WAIT = """
if command -v flock >/dev/null && flock -s "$1/lock" true && [ -f "$1/exit" ]; then exec cat "$1/exit"; fi
exec "$2" -I -B "$1/$3" wait "$1"
"""

# a job is another user's where we may become root, on a machine that is there for submissions alone
_WITH_RIGHTS = """
with_rights() {
    if [ "$1" = ours ] && [ "$(id -u)" != 0 ] && command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        shift; sudo -n -- "$@"
    else
        shift; "$@"
    fi
}
"""

_LAUNCH = f"""
{_WITH_RIGHTS}
with_rights "$@"
"""

# the supervisor's `kill` is a Python's start, saved where it has written its record and no process bears the job's mark
_END = f"""
{_WITH_RIGHTS}
cd "$HOME" && [ -e "$1" ] || exit 0
over() {{
    [ -d /proc/self ] && command -v flock >/dev/null && command -v grep >/dev/null || return 1
    folder=$(cd "$1" && pwd -P) && [ -e "$folder/exit" ] && flock -sn "$folder/lock" true || return 1
    grep -qsF "{MARK}=$folder" /proc/[0-9]*/environ && return 1 || return 0
}}
over "$1" || with_rights "$4" "$2" -I -B "$1/$3" kill "$1" && rm -rf -- "$1"
"""


LAST_JOB_S = 60.0
"""The time, in seconds, that what puts folds together has at least, however long the folds took."""


def job_name(work: Work) -> str:
    """What one attempt's job is called; each of several that share the attempt's folds has a name of its own."""
    whole = f"{work.event}-{work.submission_id}-{work.attempt}"
    return f"{whole}-fold-{work.share[0]}" if work.share else whole


def job_folder(work: Work) -> str:
    """The folder of one attempt's job, relative to the login user's home."""
    return f".rampart/jobs/{job_name(work)}"


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


def pack_finished(job_dir: str, output: str, *, is_blind: bool = False) -> tuple[str, ...]:
    """Write the finished folds as a tar to standard output while the job runs."""
    return ("sh", "-c", _PACK_FINISHED, "sh", job_dir, output, "test_time" if is_blind else "scores.csv")


def launch(
    layout: HostLayout, job_dir: str, work: Work, *, is_blind: bool = False, program: Sequence[str] = ()
) -> tuple[str, ...]:
    """Start the supervisor with a submission's job, detached; returns when the job's lock is held.

    A job that `is_blind` has kit and data of its own: those of the host are out of its sight. `program` is what the
    job runs instead of what trains a submission.
    """
    job = run_blind if is_blind else run_folds if work.salvaged or work.share else ramp_test
    if is_blind:
        hidden = (*layout.hidden, *dict.fromkeys((layout.kit_dir, layout.data_dir)))
        kit_dir = f"{job_dir}/{bundle.KIT}"
        layout = replace(layout, kit_dir=kit_dir, data_dir=kit_dir, hidden=hidden)
    return (
        *("sh", "-c", _LAUNCH, "sh", _whose(layout)),
        *(*_supervisor(layout, job_dir), "launch", job_dir, "--cwd", layout.kit_dir),
        *_limits(work),
        *_what_is_seen(layout),
        *(["--add-user"] if layout.is_ours else []),
        *(["--strict"] if work.isolation is Isolation.STRICT else []),
        *("--", *(program or job(layout, job_dir, work))),
    )


def ramp_test(layout: HostLayout, job_dir: str, work: Work) -> tuple[str, ...]:
    """Train and score one submission, RAMP's way."""
    return (layout.ramp_test, *_what_to_run(layout, job_dir, work), "--save-output", "--ignore-warning")


def run_folds(layout: HostLayout, job_dir: str, work: Work) -> tuple[str, ...]:
    """Do what `ramp_test` does, without training the folds that are finished, or for a share of the folds alone."""
    script = (layout.python, f"{job_dir}/{RUN_FOLDS}")
    return (*script, *_what_to_run(layout, job_dir, work), *_which_folds(job_dir, work))


def run_blind(layout: HostLayout, job_dir: str, work: Work) -> tuple[str, ...]:
    """Train and predict without a test label, on what was pushed."""
    return (
        *(layout.python, f"{job_dir}/{RUN_BLIND}", "--submission", work.submission_key),
        *("--ramp-kit-dir", f"{job_dir}/{bundle.KIT}", "--ramp-submission-dir", f"{job_dir}/submissions"),
        *("--bundle", f"{job_dir}/{bundle.DATA}"),
        *_which_folds(job_dir, work),
    )


def wait(layout: HostLayout, job_dir: str) -> tuple[str, ...]:
    """Block until the job has ended, then print its exit record as JSON."""
    return ("sh", "-c", _WAIT, "sh", job_dir, layout.python, SUPERVISOR)


def follow(layout: HostLayout, job_dir: str, offset: int) -> tuple[str, ...]:
    """Print the job's log from a byte on, as it grows, until the job ends."""
    return (layout.python, "-I", "-c", _follower(), job_dir, str(offset))


def end(layout: HostLayout, work: Work) -> tuple[str, ...]:
    """End an attempt's job where it still runs, then delete its folder; nothing to do is fine."""
    return ("sh", "-c", _END, "sh", job_folder(work), layout.python, SUPERVISOR, _whose(layout))


def _limits(work: Work) -> list[str]:
    limits = work.limits
    left_s = max(work.timeout_s - work.spent_s, LAST_JOB_S) if work.spent_s else work.timeout_s
    options = ["--timeout-s", f"{left_s:g}", "--tasks", str(limits.tasks)]
    options += ["--file-bytes", str(limits.file_bytes), "--disk-bytes", str(limits.disk_bytes)]
    if work.memory_limit_bytes is not None:
        options += ["--memory-bytes", str(work.memory_limit_bytes)]
    if limits.cpus is not None:
        options += ["--cpus", f"{limits.cpus:g}"]
    if work.n_threads is not None:
        options += ["--n-threads", str(work.n_threads)]
    return options


def _what_is_seen(layout: HostLayout) -> list[str]:
    """The kit with its data, the environment; on a machine with other purposes too, nothing else of the event's."""
    environments = {str(PurePosixPath(program).parent.parent) for program in (layout.python, layout.ramp_test)}
    shown = dict.fromkeys([layout.kit_dir, layout.data_dir, *sorted(environments)])
    options = [word for folder in shown for word in ("--show", folder)]
    return options + [word for folder in layout.hidden for word in ("--hide", folder)]


def _whose(layout: HostLayout) -> str:
    return "ours" if layout.is_ours else "shared"


def _what_to_run(layout: HostLayout, job_dir: str, work: Work) -> tuple[str, ...]:
    return (
        *("--submission", work.submission_key),
        *("--ramp-kit-dir", layout.kit_dir),
        *("--ramp-data-dir", layout.data_dir),
        *("--ramp-submission-dir", f"{job_dir}/submissions"),
    )


def _which_folds(job_dir: str, work: Work) -> tuple[str, ...]:
    if work.share:
        return ("--folds", ",".join(map(str, work.share)))
    return ("--finished", f"{job_dir}/{FINISHED}") if work.salvaged else ()


@cache
def _follower() -> str:
    return Path(follower.__file__).read_text(encoding="utf-8")


def _supervisor(layout: HostLayout, job_dir: str) -> tuple[str, ...]:
    return (layout.python, "-I", "-B", f"{job_dir}/{SUPERVISOR}")
