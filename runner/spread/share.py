"""Carry one job that trains a share of a run's folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from contracts.errors import TransferRefused
from contracts.work import Finished, JobEnd, JobExit, Launched, Provisioned
from runner.job.run_folds import CANNOT_BE_APART
from runner.ports import Transport
from runner.scoring.bundle import Bundle
from runner.spread import records
from runner.stages import launch, push, salvage, wait


@dataclass(frozen=True, slots=True)
class Home:
    """The job ended well, and what it left is kept here."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The job ended otherwise, or left what is not accepted: all of it is on its host still."""

    finished: Finished


@dataclass(frozen=True, slots=True)
class NotApart:
    """The job found that the kit's folds cannot be run apart; the submission may have lied so, and gains nothing."""


class Share:
    """One job, over as many connections as it takes: `go_on` does what is left to do.

    `again`: it may have been pushed and launched before.
    """

    def __init__(
        self, provisioned: Provisioned, bundle: Bundle | None, now: Callable[[], datetime], *, again: bool
    ) -> None:
        self._provisioned = provisioned
        self._bundle = bundle
        self._now = now
        self._again = again
        self.launched: Launched | None = None

    def go_on(self, transport: Transport) -> Home | Broken | NotApart:
        """Push, launch, wait, bring home; raises what those stages raise."""
        work = self._provisioned.claimed.work
        if records.has(work):
            return Home()
        if self.launched is None:
            again, self._again = self._again, True
            pushed = push.push(self._provisioned, transport, again=again, bundle=self._bundle)
            self.launched = launch.launch(pushed, transport, self._now)
        finished = wait.wait(self.launched, transport)
        if _has_ended_with(finished.exit, CANNOT_BE_APART):
            return NotApart()
        if not _has_ended_with(finished.exit, 0):
            return Broken(finished)
        try:
            log = salvage.bring_home(finished, transport)
        except TransferRefused:
            return Broken(finished)
        records.keep(work, finished.exit, log)
        return Home()


def _has_ended_with(exit: JobExit, code: int) -> bool:
    return exit.end is JobEnd.EXITED and exit.code == code
