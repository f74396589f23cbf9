"""Drive an organiser's own worker through the stages of a run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from contracts.errors import CommandFailed, HostGone
from contracts.redaction import BY_LOOK
from contracts.work import Finished, JobEnd, JobExit, Launched, Provisioned, Pulled, Pushed
from runner.stages import log_files, log_text
from runner.workers.base import BaseWorker
from runner.workers.own import WorkerBroken, own_code


def launch(worker: BaseWorker, provisioned: Provisioned, clock: Callable[[], datetime]) -> Launched:
    """Start the submission; results that lie in its folder already must not pass for this run's."""
    _remove(provisioned.claimed.work.submission_dir / "training_output")
    name = provisioned.host.host_id
    if _status(worker, name) == "setup":
        with own_code(name, "launch_submission"):
            worker.launch_submission()
    match _status(worker, name):
        case "running" | "finished":
            return Launched(Pushed(provisioned, job_dir=""), clock())
        case "retry":
            raise HostGone(f"worker {name} could not start the submission and asks for another attempt")
        case "error":
            raise CommandFailed(f"worker {name} could not start the submission", exit_code=1)
        case other:
            hint = "its setup() and launch_submission() call super()'s own at their end"
            raise WorkerBroken(f"worker {name} is {other!r} after its launch, not 'running'", hint=hint)


def wait(worker: BaseWorker, launched: Launched, sleep: Callable[[float], None], *, interval_s: float) -> Finished:
    """Ask the worker every `interval_s` until its submission has ended or its time is over; `sleep` may raise."""
    provisioned = launched.pushed.provisioned
    name, limit_s = provisioned.host.host_id, provisioned.claimed.work.timeout_s
    started = time.monotonic()
    while True:
        status, passed = _status(worker, name), time.monotonic() - started
        if status == "finished":
            return Finished(launched, _exit(JobEnd.EXITED, 0, passed))
        if status == "timeout" or passed >= limit_s or (status == "running" and _has_timed_out(worker, name)):
            worker.status = "timeout"
            return Finished(launched, _exit(JobEnd.TIMEOUT, -1, passed))
        if status == "retry":
            raise HostGone(f"worker {name} has lost the submission with what it ran on")
        if status != "running":
            raise CommandFailed(f"worker {name} ended as {status!r}", exit_code=1)
        sleep(min(interval_s, limit_s - passed))


def collect(worker: BaseWorker, finished: Finished, *, redact: Callable[[str], str] = BY_LOOK) -> Pulled:
    """Have the worker put log and predictions into their folders, in the place of an earlier run's.

    What a submission wrote that ran out of time stays where it is. Raises WorkerBroken.
    """
    provisioned = finished.launched.pushed.provisioned
    work, name = provisioned.claimed.work, provisioned.host.host_id
    output, log = work.predictions_dir / work.submission_key, work.logs_dir / work.submission_key / "log"
    _remove(output)
    with suppress(FileNotFoundError):
        log.unlink()
    if finished.exit.end is JobEnd.TIMEOUT:
        path = log_files.place(b"the worker was ended before it gave a log\n", work, redact)
        return Pulled(finished, path, None)
    with own_code(name, "collect_results"):
        answer = worker.collect_results()
    code, message = _checked(answer, name)
    path = log_files.place(_said(log, message), work, redact)
    exit = _exit(JobEnd.EXITED, code, finished.exit.wall_time_s)
    return Pulled(Finished(finished.launched, exit), path, output if output.is_dir() else None)


def _checked(answer: object, name: str) -> tuple[int, str]:
    match answer:
        case (int(code), message):
            return code, "" if message is None else str(message)
    hint = "return the exit code and the error message: return (0, '')"
    raise WorkerBroken(f"worker {name}: collect_results() gave {answer!r}", hint=hint)


def _said(log: Path, message: str) -> bytes:
    """Give the log the worker wrote, where it wrote none what it says of the error."""
    return log_text.read(log) if log.is_file() and not log.is_symlink() else message.encode("utf-8", "replace")


def _status(worker: BaseWorker, name: str) -> str:
    with own_code(name, "status"):
        return worker.status


def _has_timed_out(worker: BaseWorker, name: str) -> bool:
    with own_code(name, "check_timeout"):
        return bool(worker.check_timeout())


def _exit(end: JobEnd, code: int, wall_time_s: float) -> JobExit:
    """How such a job ended, as far as a worker tells: neither its processor time nor its memory."""
    return JobExit(end, code, wall_time_s, cpu_time_s=0.0, peak_memory_bytes=0, output_bytes=0)


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
