"""Let the reaper look at a stack again and again, beside its runs."""

from __future__ import annotations

import logging

from contracts.errors import RampartError
from runner.interruption import Interrupted
from runner.reaping.reaper import Doomed, Fate, Outcome, Reaper

_log = logging.getLogger(__name__)


class Sweeper:
    """What one look marks is ended at the next one, if that would mark it too."""

    def __init__(self, reaper: Reaper) -> None:
        self._reaper = reaper
        self._marked: tuple[Doomed, ...] = ()

    def sweep(self) -> None:
        """Look once, and end what the last look marked. Nothing that goes wrong ends the loop that asks."""
        try:
            if self._marked:
                for fate in self._reaper.end(self._marked):
                    _tell(fate)
            self._marked = self._reaper.doomed(self._reaper.live())
        except Interrupted:
            _log.info("looking for instances past their time was broken off", extra={"action": "sweep"})
        except RampartError as error:
            _log.warning("no look for instances past their time: %s", error, extra={"action": "sweep"})
        except Exception:  # a loop runs for weeks, with or without its reaper
            _log.exception("no look for instances past their time", extra={"action": "sweep"})


def _tell(fate: Fate) -> None:
    instance_id, reason = fate.doomed.instance.instance_id, fate.doomed.reason
    if fate.outcome is Outcome.STILL_UP:
        _log.error("%s could not be ended (%s): %s", instance_id, reason, fate.problem, extra={"action": "reap"})
    else:
        _log.warning("%s %s: %s", instance_id, fate.outcome, reason, extra={"action": "reap"})
