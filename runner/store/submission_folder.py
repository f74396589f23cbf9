"""Take a team's folder of code into the event's submissions folder."""

from __future__ import annotations

import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from contracts.errors import SubmissionInvalid

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,19}")
_NOT_CODE = shutil.ignore_patterns("training_output", "__pycache__", ".*")
_MAX_FILES = 1_000
_MAX_BYTES = 100 * 2**20


def check_name(name: str, what: str) -> None:
    """Refuse a name that RAMP could not keep, or that could lead out of a folder; `what` is a team or a submission.

    Raises SubmissionInvalid.
    """
    if not _NAME.fullmatch(name):
        hint = "1 to 20 letters, digits, '_' or '-', the first one no '-'"
        raise SubmissionInvalid(f"'{name}' cannot be the name of a {what}", hint=hint)


def check_folder(source: Path) -> None:
    """Refuse a folder that is missing, empty, too large or holds anything but files. Raises SubmissionInvalid."""
    if not source.is_dir():
        raise SubmissionInvalid(f"the submission's folder {source} does not exist", hint="give the folder of its code")
    files = size = 0
    for path in _entries(source):
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            continue
        if not stat.S_ISREG(mode):
            raise SubmissionInvalid(f"{path} is not a regular file", hint="put a copy of the file there, not a link")
        files += 1
        size += path.lstat().st_size
        if files > _MAX_FILES or size > _MAX_BYTES:
            message = f"{source} is too large: {_MAX_FILES} files and {_MAX_BYTES // 2**20} MiB are the limit"
            raise SubmissionInvalid(message, hint="submit code, not data")
    if not files:
        raise SubmissionInvalid(f"{source} holds no file", hint="give the folder of its code")


@contextmanager
def staged(source: Path, submissions_dir: Path) -> Iterator[Path]:
    """Copy the folder next to its place, so that putting it there is one rename. Raises SubmissionInvalid."""
    check_folder(source)
    submissions_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".incoming-", dir=submissions_dir) as folder:
        copy = Path(folder) / "submission"
        try:
            shutil.copytree(source, copy, symlinks=True, ignore=_NOT_CODE)
        except (OSError, shutil.Error) as error:
            raise SubmissionInvalid(f"{source} cannot be copied: {error}", hint="can you read its files?") from error
        check_folder(copy)  # what was copied counts, whatever became of the source meanwhile
        yield copy


def _entries(folder: Path) -> Iterator[Path]:
    """Walk what a submission consists of; links are given, never followed."""
    names = [path.name for path in folder.iterdir()]
    for name in sorted(set(names) - _NOT_CODE(str(folder), names)):
        path = folder / name
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _entries(path)
