"""Push a submission to its host."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from contracts.errors import AskedWrongly, CommandFailed, HostUnreachable, SubmissionInvalid
from contracts.work import Provisioned, Pushed, Work
from runner import commands
from runner.job import run_blind, run_folds
from runner.job.pushed import supervisor_files
from runner.ports import Transport
from runner.scoring.bundle import Bundle
from runner.stages import tar_writer
from runner.stages.tar_writer import Entry

MAX_FILES = 2000
MAX_BYTES = 512 * 1024 * 1024
_LEFT_BEHIND = {"training_output", "__pycache__"}  # results of an earlier run must not pass for this one's


def push(
    provisioned: Provisioned, transport: Transport, *, again: bool = False, bundle: Bundle | None = None
) -> Pushed:
    """Send the submission's files with the supervisor, in one stream, into the attempt's own new folder.

    `bundle` is what the job gets instead of labels; without it the host's own kit and data are used.
    `again`: a folder that is there already was made by this very attempt and will do; it appears whole or not at all.
    Raises SubmissionInvalid or AskedWrongly before anything is sent, CommandFailed or HostUnreachable after.
    """
    work = provisioned.claimed.work
    entries = push_plan(work, bundle)
    folder = commands.job_folder(work)
    answer = transport.send(commands.unpack(folder), tar_writer.stream(entries))
    if answer.exit_code == -1:
        raise HostUnreachable(f"{provisioned.host.host_id} broke off while the submission was sent")
    if answer.exit_code == commands.ALREADY_THERE and not again:
        hint = "remove the folder there, or run the submission as a new attempt"
        raise CommandFailed(f"{folder} is on {provisioned.host.host_id} already", exit_code=answer.exit_code, hint=hint)
    job_dir = answer.text.strip()
    if (
        answer.exit_code not in (0, commands.ALREADY_THERE)
        or not job_dir.startswith("/")
        or not job_dir.endswith(folder)
    ):
        said = answer.stderr.decode("utf-8", "replace").strip()
        message = f"the submission could not be unpacked on {provisioned.host.host_id}: {said or job_dir!r}"
        raise CommandFailed(message, exit_code=answer.exit_code, output_tail=said)
    return Pushed(provisioned, job_dir, labels="" if bundle is None else bundle.labels)


def push_plan(work: Work, bundle: Bundle | None = None) -> tuple[Entry, ...]:
    """What is sent: the supervisor, every regular file of the submission, then the folds that need not be run again.

    A bundle goes with the script that trains on it, a share of the folds with the one that runs no others.

    Raises SubmissionInvalid, or AskedWrongly where the organiser's own folder cannot be read.
    """
    supervisor = [_entry(name, path) for name, path in supervisor_files().items()]
    return (*supervisor, *_submission(work), *_script(work, bundle), *_finished_folds(work))


def _submission(work: Work) -> list[Entry]:
    entries = []
    for path in _files_below(work.submission_dir):
        status = path.lstat()
        name = path.relative_to(work.submission_dir).as_posix()
        if not stat.S_ISREG(status.st_mode):
            hint = "a submission is made of regular files; copy what the link points to"
            raise SubmissionInvalid(f"{name!r} in submission {work.submission} is not a regular file", hint=hint)
        if not name.isprintable():
            raise SubmissionInvalid(f"submission {work.submission} has a file named {name!r}", hint="rename it")
        inside = PurePosixPath(commands.submission_folder(work), name)
        entries.append(Entry(str(inside), path, status.st_size))
    if not entries:
        raise SubmissionInvalid(f"submission {work.submission} of {work.team} has no file", hint="submit it again")
    if len(entries) > MAX_FILES or sum(entry.size_bytes for entry in entries) > MAX_BYTES:
        hint = f"at most {MAX_FILES} files and {MAX_BYTES // 1024**2} MiB"
        raise SubmissionInvalid(f"submission {work.submission} of {work.team} is too large", hint=hint)
    return entries


def _script(work: Work, bundle: Bundle | None) -> list[Entry]:
    """What the job runs where that is not the host's own ramp-test, with what it needs."""
    if bundle is None:
        return [_entry(commands.RUN_FOLDS, Path(run_folds.__file__))] if work.salvaged or work.share else []
    script = _entry(commands.RUN_BLIND, Path(run_blind.__file__))
    return [script, *(_entry(str(path.relative_to(bundle.folder)), path) for path in _files_below(bundle.folder))]


def _finished_folds(work: Work) -> list[Entry]:
    """What was finished before; a fold that is gone is run again."""
    if not work.salvaged or work.salvage_dir is None:
        return []
    entries = []
    for folder in (work.salvage_dir / f"fold_{number}" for number in work.salvaged):
        if folder.is_dir():
            files = _files_below(folder)
            entries += [_entry(f"{commands.FINISHED}/{path.relative_to(work.salvage_dir)}", path) for path in files]
    return entries


def _entry(name: str, source: Path) -> Entry:
    return Entry(name, source, source.stat().st_size)


def _files_below(folder: Path) -> Iterator[Path]:
    """Every path below that is no folder, in a stable order; links are not followed."""
    try:
        with os.scandir(folder) as found:
            children = sorted(found, key=lambda child: child.name)
    except OSError as error:
        hint = "look at ramp.submissions_dir"
        raise AskedWrongly(f"the folder {folder} cannot be read: {error.strerror}", hint=hint) from error
    for child in children:
        if child.is_dir(follow_symlinks=False):
            if child.name not in _LEFT_BEHIND:
                yield from _files_below(Path(child.path))
        else:
            yield Path(child.path)
