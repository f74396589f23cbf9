"""The errors Rampart raises: each says what happened, and its hint says what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class RampartError(Exception):
    """Something expected went wrong; shown as one line, never as a traceback.

    `hint` is the next thing to type or to look at. `exit_code` is 1 when work failed, 2 when it was asked wrongly.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class AskedWrongly(RampartError):
    """The command, its arguments or a file it reads are wrong: nothing was started."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in a file: `line` counts from 1 and is None where the file as a whole is meant; `key` is dotted."""

    path: Path
    line: int | None
    key: str
    message: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line is not None else f"{self.path}"
        about = f"{self.key}: " if self.key else ""
        line = f"{place}: {about}{self.message}" + (f" — {self.remedy}" if self.remedy else "")
        # a value from the file may be quoted in it: one problem stays one line that a terminal shows as it is
        return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


class BadConfiguration(AskedWrongly):
    """A configuration file has faults; all of them are reported together, one line each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        count = len(self.problems)
        title = "1 problem" if count == 1 else f"{count} problems"
        super().__init__("\n  ".join([f"{title} in the configuration:", *map(str, self.problems)]))


class UnknownName(AskedWrongly):
    """An event, team, submission, output or command of that name does not exist."""


class BadDocument(AskedWrongly):
    """An image component document would be refused by AWSTOE; all of its faults are reported together."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n  ".join(["image component document refused:", *map(str, self.problems)]))


class KitInvalid(AskedWrongly):
    """The challenge's kit is missing or lacks what `ramp-test` needs."""


class KitChanged(RampartError):
    """A run cannot be scored with the labels and folds it was made with: nobody's fault, so it is run again."""


class SubmissionInvalid(AskedWrongly):
    """A submission's name or folder cannot be taken."""


class KeyFileInvalid(AskedWrongly):
    """The private key file is missing, unreadable or readable by others."""


class ToolMissing(AskedWrongly):
    """A program this command needs is not on PATH."""


class StoreUnavailable(RampartError):
    """The database does not answer or refuses us."""


class StoreRefuses(StoreUnavailable):
    """The database answers, and does not take what is asked of it: asking again would not help."""


class EventPaused(RampartError):
    """Nothing of the event is claimed until the organiser resumes it."""


class LeaseLost(RampartError):
    """Someone else owns the run by now: what we wanted to write was dropped."""


class RunOver(LeaseLost):
    """The run has ended already: a result that comes this late never overwrites another."""


class CloudError(RampartError):
    """The cloud's API refused a call or failed at it; `code` is the service's own error code.

    `is_uncertain` where no answer came: what was asked for may have been done.
    """

    def __init__(self, message: str, *, code: str = "", hint: str = "", is_uncertain: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.is_uncertain = is_uncertain


class CapacityMissing(CloudError):
    """No host can be had at the moment: nobody's fault, so no attempt is used up. Ask again in `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: float, code: str = "", hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint)
        self.retry_after_s = retry_after_s


class QuotaReached(CapacityMissing):
    """The account may have no more hosts than the `reached` it has."""

    def __init__(self, message: str, *, reached: int, retry_after_s: float, code: str = "", hint: str = "") -> None:
        super().__init__(message, retry_after_s=retry_after_s, code=code, hint=hint)
        self.reached = reached


class ImageNotFound(RampartError):
    """No usable machine image of that name or id."""


class ImageBuildFailed(RampartError):
    """An image build ended without an image; carries what failed and the last lines of its log.

    `step` tells the place in words; `component` and `phase` are empty where no component's step failed, and
    `step_exit_code` is None where that step left none. `log_file` is where this machine keeps the whole log.
    """

    def __init__(
        self,
        message: str,
        *,
        component: str = "",
        phase: str = "",
        step: str = "",
        step_exit_code: int | None = None,
        log_tail: Sequence[str] = (),
        log_file: Path | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.component = component
        self.phase = phase
        self.step = step
        self.step_exit_code = step_exit_code
        self.log_tail = tuple(log_tail)
        self.log_file = log_file


class ImageBuildUnderWay(AskedWrongly):
    """The pipeline is building an image already: a second build was not started."""


class HostUnreachable(RampartError):
    """A host cannot be reached, or its connection was lost; says nothing about what runs on it."""


class HostKeyRefused(HostUnreachable):
    """A host answered with another key than the one it was launched with: someone may stand in between."""


class HostKeyNotRotated(RampartError):
    """A host cannot have an SSH host key of its own, and the event is strict about isolation."""


class BootTimeout(HostUnreachable):
    """An instance was launched but did not answer over SSH in time."""


class HostGone(RampartError):
    """The instance behind a run has ended: what ran on it is lost."""


class SpotReclaimed(HostGone):
    """EC2 took a spot instance back: what ran on it is lost."""


class CommandFailed(RampartError):
    """A command on a host ended with another exit code than 0; carries code and the end of its output."""

    def __init__(self, message: str, *, exit_code: int, output_tail: str = "", hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.command_exit_code = exit_code
        self.output_tail = output_tail


class CommandTimedOut(RampartError):
    """A command on a host did not end in its time; it may still be running there."""


class TransferRefused(RampartError):
    """What a host sent back broke a limit (links, paths, sizes, counts) and was not accepted."""


class DiskFull(RampartError):
    """This machine has no room for what a run left."""


class RunLost(RampartError):
    """A run ended without leaving an exit status: its supervisor was killed or the host restarted."""
