"""Carry all jobs that share the folds of one run, side by side."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from contracts.errors import (
    CommandFailed,
    CommandTimedOut,
    HostGone,
    HostUnreachable,
    LeaseLost,
    RampartError,
    RunLost,
    RunOver,
)
from contracts.work import Finished, Provisioned, Spread
from runner.carrying.leaving import Leaving
from runner.carrying.reaching import Reach
from runner.flow import Surroundings
from runner.interruption import Interrupted, Interruption, Wish
from runner.scoring.bundle import Bundle
from runner.spread import records, values
from runner.spread.share import Broken, Home, NotApart, Share
from runner.stages import clean_up

_log = logging.getLogger(__name__)
_LOSSES = (HostUnreachable, HostGone, RunLost, CommandFailed, CommandTimedOut)
"""What says nothing about the submission: its folds can be trained elsewhere."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The job was lost with its host; folds it had finished may be kept."""

    error: RampartError


End = Home | Broken | NotApart | Lost


class FoldsNotApart(Exception):
    """The kit's folds cannot be run apart."""


class Shares:
    """The jobs of one run. `interruption` and `leaving` are the run's own; `again`: the jobs may run already."""

    def __init__(
        self,
        spread: Spread,
        around: Surroundings,
        interruption: Interruption,
        leaving: Leaving,
        *,
        bundle: Bundle | None,
        again: bool,
    ) -> None:
        self._spread = spread
        self._around = around
        self._interruption = interruption
        self._leaving = leaving
        self._bundle = bundle
        self._again = again
        self._held = {share.claimed.work.share: share for share in values.shares_of(spread)}
        self._of_helpers = frozenset(helper.claimed.work.share for helper in spread.helpers)
        self._own_loss: RampartError | None = None
        self._is_anothers = False

    def carry(self, note: Callable[[Spread], None]) -> Finished | None:
        """Wait until all jobs have ended and their folds are kept; `note` hears what is left each time one has.

        Gives the job that failed where one did: the others are ended, and its own host can be pulled from still. Folds
        of a lost helper are missing. Raises FoldsNotApart, the loss of the run's own host, or what no other job could
        do better.
        """
        if not self._held:
            return None
        with self._interruption.for_one() as together, ThreadPoolExecutor(len(self._held), "share") as threads:
            running = {threads.submit(self._carried, share, together): share for share in self._held.values()}
            try:
                for future in as_completed(running):
                    broken = self._ended(running[future], future.result(), note)
                    if broken is not None:
                        together.ask()
                        return broken
            except LeaseLost as error:
                self._is_anothers = not isinstance(error, RunOver)
                together.ask(Wish.HAND_BACK if self._is_anothers else Wish.END)
                raise
            except BaseException:
                together.ask(self._interruption.wish or Wish.END)
                raise
        if self._own_loss is not None:
            raise self._own_loss
        return None

    def give_back(self) -> None:
        """End what still runs and release the further hosts, unless all goes on for whoever adopts the run."""
        if self._is_anothers or self._interruption.wish is Wish.HAND_BACK:
            return
        self.end()

    def end(self) -> None:
        """End what still runs and release the further hosts."""
        for share in list(self._held.values()):
            self._release(share)

    def _carried(self, provisioned: Provisioned, together: Interruption) -> End:
        is_own = self._is_own(provisioned)
        with together.for_one() as interruption:
            leaving = self._leaving if is_own else Leaving(self._around.hosts, interruption)
            share = Share(provisioned, self._bundle, self._around.now, again=self._again)
            reach = Reach(self._around.hosts, interruption, self._around.now, self._around.patience)
            try:
                with leaving.heard(provisioned):
                    return reach.act(provisioned, share.go_on)
            except (RampartError, Interrupted) as error:
                wish = interruption.wish
                if wish is Wish.LEAVE and share.launched is not None:
                    (leaving if leaving.reason else self._leaving).bring_home(share.launched)
                if wish is Wish.LEAVE and not together.asked:
                    return Lost(HostGone(leaving.reason))
                if wish is not None:
                    raise Interrupted from error
                if isinstance(error, _LOSSES):
                    return Lost(error)
                raise

    def _ended(self, share: Provisioned, end: End, note: Callable[[Spread], None]) -> Finished | None:
        """Deal with the end of one job; gives it where it failed."""
        match end:
            case Broken(finished):
                return finished
            case NotApart():
                raise FoldsNotApart
            case Lost(error):
                self._note_loss(share, error)
            case Home():
                pass
        self._release(share)
        self._spread = values.without(self._spread, share.claimed.work.share)
        note(self._spread)
        return None

    def _note_loss(self, share: Provisioned, error: RampartError) -> None:
        folds = records.named(share.claimed.work.share)
        _log.warning("the host that trained %s was lost: %s", folds, error, extra={"action": "share-lost"})
        if self._is_own(share):
            self._own_loss = error

    def _release(self, share: Provisioned) -> None:
        """Let go of a job, and of its host unless that is the run's own; what goes wrong ends by its own limit."""
        hosts = self._around.hosts
        try:
            if self._is_own(share):
                clean_up.give_back(share, lambda: hosts.connect(share))
            else:
                hosts.release(share)
        except RampartError as error:
            _log.error("could not release %s: %s", share.host.host_id, error, extra={"action": "release-failed"})
        self._held.pop(share.claimed.work.share, None)

    def _is_own(self, share: Provisioned) -> bool:
        return share.claimed.work.share not in self._of_helpers
