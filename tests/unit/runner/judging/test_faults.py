"""Whose fault an error around a job is."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import (
    BootTimeout,
    CloudError,
    CommandFailed,
    DiskFull,
    HostGone,
    HostKeyNotRotated,
    HostKeyRefused,
    HostUnreachable,
    ImageNotFound,
    KeyFileInvalid,
    KitInvalid,
    RampartError,
    RunLost,
    SpotReclaimed,
    SubmissionInvalid,
    TransferRefused,
)
from contracts.work import Blame, Cause, Work
from runner.judging.faults import failed_by
from runner.layout import LayoutMissing

HERE = Path("/nowhere")
WORK = Work(1, "iris", "blue", "trees", 1, HERE, HERE, HERE, 60.0)


@pytest.mark.parametrize(
    ("error", "blame", "cause"),
    [
        (SubmissionInvalid("a link in it"), Blame.PARTICIPANT, Cause.BAD_OUTPUT),
        (TransferRefused("too large"), Blame.PARTICIPANT, Cause.TRANSFER_REFUSED),
        (KitInvalid("no problem.py"), Blame.ORGANISER, Cause.KIT_BROKEN),
        (LayoutMissing("no ramp-test"), Blame.ORGANISER, Cause.ENVIRONMENT_BROKEN),
        (ImageNotFound("none"), Blame.ORGANISER, Cause.LAUNCH_REFUSED),
        (KeyFileInvalid("others can read it"), Blame.ORGANISER, Cause.ENVIRONMENT_BROKEN),
        (CloudError("no right", code="UnauthorizedOperation"), Blame.ORGANISER, Cause.LAUNCH_REFUSED),
        (CloudError("ran out", code="ExpiredToken"), Blame.ORGANISER, Cause.LAUNCH_REFUSED),
        (CloudError("none left", code="InsufficientInstanceCapacity"), Blame.PLATFORM, Cause.LAUNCH_REFUSED),
        (BootTimeout("no answer"), Blame.PLATFORM, Cause.BOOT_TIMEOUT),
        (HostKeyRefused("another key"), Blame.PLATFORM, Cause.HOST_KEY_REFUSED),
        (HostKeyNotRotated("no ssh-keygen"), Blame.ORGANISER, Cause.NOT_CONTAINED),
        (HostUnreachable("no route"), Blame.PLATFORM, Cause.HOST_LOST),
        (HostGone("terminated"), Blame.PLATFORM, Cause.HOST_LOST),
        (SpotReclaimed("taken back"), Blame.PLATFORM, Cause.SPOT_RECLAIMED),
        (DiskFull("no room"), Blame.PLATFORM, Cause.INTERNAL),
        (RunLost("no record"), Blame.PLATFORM, Cause.HOST_LOST),
        (CommandFailed("tar", exit_code=2), Blame.PLATFORM, Cause.HOST_LOST),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, RampartError) else str(value),
)
def test_every_error_has_one_blame_and_one_cause(error: RampartError, blame: Blame, cause: Cause) -> None:
    failed = failed_by(error, WORK)
    assert (failed.blame, failed.cause) == (blame, cause)


def test_the_team_is_told_what_happened_with_the_hint() -> None:
    assert failed_by(KitInvalid("no problem.py", hint="look there"), WORK).message == "no problem.py (look there)"
