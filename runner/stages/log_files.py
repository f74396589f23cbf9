"""Place a run's log where its team and its organiser look for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from contracts.work import Work
from runner import whole_files
from runner.stages import log_text

WITHHELD = "The organisers of this event keep the logs of its submissions to themselves.\n"
"""What the team of an event that withholds its logs finds in the place of one."""


def whole_log_dir(state_dir: Path, submission_id: int) -> Path:
    """Where the log of a submission's last run lies for the organiser, where the team is not shown all of it."""
    return state_dir / "whole_logs" / f"submission_{submission_id:09d}"


def place(data: bytes, work: Work, redact: Callable[[str], str]) -> Path:
    """Write a log, cleaned and redacted, in the place of an earlier run's; gives the path of all that is kept of it.

    `logs_dir/<key>/log` is what the team may read: `shown_log_bytes` of it, or nothing where logs are withheld. What
    that leaves out lies in `whole_log_dir/log`, for this user alone.
    """
    whole = redact(log_text.clean(data))
    shown = WITHHELD if work.withholds_log else log_text.shortened(whole, work.shown_log_bytes)
    shown_path = _written(shown, work.logs_dir / work.submission_key, folder_mode=0o777, mode=0o644)
    if work.whole_log_dir is None:
        return shown_path
    if shown != whole:
        return _written(whole, work.whole_log_dir, folder_mode=0o700, mode=0o600)
    with suppress(FileNotFoundError):
        (work.whole_log_dir / "log").unlink()
    return shown_path


def _written(text: str, folder: Path, *, folder_mode: int, mode: int) -> Path:
    """Write the folder's log, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True, mode=folder_mode)
    path = folder / "log"
    whole_files.write(path, text, mode=mode, is_synced=True)
    return path
