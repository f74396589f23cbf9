"""Decide which folds are trained side by side."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from contracts.errors import RampartError
from contracts.work import Claimed, Provisioned, Work
from runner.ports import Hosts, Spare
from runner.spread import values

_log = logging.getLogger(__name__)


class Dividing:
    """How an event's submissions are divided. For any number of threads."""

    def __init__(self, folds_at_a_time: int) -> None:
        self._folds_at_a_time = folds_at_a_time
        self._lock = threading.Lock()
        self._told: set[str] = set()

    def missing(self, work: Work) -> tuple[int, ...]:
        """The folds to be trained side by side; none where the run is to be one job."""
        if self._folds_at_a_time == 1 or work.salvage_dir is None:
            return ()
        if work.folds == 0:
            self.tell("the event does not know how many its kit has")
            return ()
        return tuple(number for number in range(work.folds) if number not in work.salvaged)

    def helpers(self, claimed: Claimed, missing: Sequence[int], hosts: Hosts) -> list[Provisioned]:
        """Take further hosts, of those that are free now, each for a share that begins with its own fold."""
        found: list[Provisioned] = []
        if not isinstance(hosts, Spare):
            return found
        for number in missing[1 : self._folds_at_a_time]:
            try:
                helper = hosts.acquire_another(values.shared(claimed, (number,)))
            except RampartError as error:  # the run goes on with those it has
                _log.warning("no further host: %s", error, extra={"action": "no-helper"})
                break
            if helper is None:
                break
            found.append(helper)
        return found

    def tell(self, reason: str) -> None:
        """Warn, once for each reason, that folds are trained one after the other."""
        with self._lock:
            is_new = reason not in self._told
            self._told.add(reason)
        if is_new:
            told = "folds_at_a_time has no effect, for folds cannot be run apart: %s; see docs/reference/folds.md"
            _log.warning(told, reason, extra={"action": "folds-not-apart"})


def divided(folds: Sequence[int], count: int) -> list[tuple[int, ...]]:
    """Deal folds out in turn, so that the first fold of each share does not depend on how many shares there are."""
    return [tuple(folds[first::count]) for first in range(count)]
