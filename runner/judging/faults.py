"""Turn what went wrong around a job into a failure with a typed blame."""

from __future__ import annotations

from contracts.errors import (
    AskedWrongly,
    BootTimeout,
    CloudError,
    DiskFull,
    HostKeyNotRotated,
    HostKeyRefused,
    HostUnreachable,
    ImageNotFound,
    KitInvalid,
    RampartError,
    SpotReclaimed,
    SubmissionInvalid,
    TransferRefused,
)
from contracts.work import Blame, Cause, Failed, Work
from runner.layout import LayoutMissing

_ORGANISERS_CODES = frozenset(
    {
        "AccessDenied",
        "AuthFailure",
        "AuthFailure.ServiceLinkedRoleCreationNotPermitted",
        "ExpiredToken",
        "NoCredentials",
        "OptInRequired",
        "ProfileNotFound",
        "UnauthorizedOperation",
        "UnauthorizedSSOTokenError",
    }
)

_TABLE: tuple[tuple[type[RampartError], Blame, Cause], ...] = (
    (SubmissionInvalid, Blame.PARTICIPANT, Cause.BAD_OUTPUT),
    (TransferRefused, Blame.PARTICIPANT, Cause.TRANSFER_REFUSED),
    (KitInvalid, Blame.ORGANISER, Cause.KIT_BROKEN),
    (LayoutMissing, Blame.ORGANISER, Cause.ENVIRONMENT_BROKEN),
    (ImageNotFound, Blame.ORGANISER, Cause.LAUNCH_REFUSED),
    (AskedWrongly, Blame.ORGANISER, Cause.ENVIRONMENT_BROKEN),
    (HostKeyNotRotated, Blame.ORGANISER, Cause.NOT_CONTAINED),
    (SpotReclaimed, Blame.PLATFORM, Cause.SPOT_RECLAIMED),
    (BootTimeout, Blame.PLATFORM, Cause.BOOT_TIMEOUT),
    (CloudError, Blame.PLATFORM, Cause.LAUNCH_REFUSED),
    (DiskFull, Blame.PLATFORM, Cause.INTERNAL),
    (HostKeyRefused, Blame.PLATFORM, Cause.HOST_KEY_REFUSED),
    (HostUnreachable, Blame.PLATFORM, Cause.HOST_LOST),
    (RampartError, Blame.PLATFORM, Cause.HOST_LOST),
)


CANCELLED = "cancelled by the organiser"
"""What the team is told of a submission that the organiser ended."""


def cancelled(work: Work) -> Failed:
    """Say that the organiser ended a run: no fault of anybody's, but the word for it is the organiser's."""
    return Failed(work=work, blame=Blame.ORGANISER, cause=Cause.CANCELLED, message=CANCELLED)


def failed_by(error: RampartError, work: Work) -> Failed:
    """Say whose fault an error of ours is; the first row of the table that fits decides."""
    blame, cause = next((blame, cause) for kind, blame, cause in _TABLE if isinstance(error, kind))
    if isinstance(error, CloudError) and error.code in _ORGANISERS_CODES:
        blame = Blame.ORGANISER
    return Failed(work=work, blame=blame, cause=cause, message=str(error))
