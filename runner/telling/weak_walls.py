"""Warn, once, that the jobs of an event have less around them than strangers' code should have."""

from __future__ import annotations

import logging

from contracts.work import Containment, Failed, JobExit, Scored
from runner.progress import Progress, RunEnded

_log = logging.getLogger(__name__)
_LACKS = {
    Containment.USER_NAMESPACE: "the login user's own rights outside of its walls",
    Containment.PROCESS_GROUP: "the login user's rights, the network, all files of the host",
}


class WeakWalls:
    """An observer of one event's runs."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._told: set[Containment] = set()

    def __call__(self, progress: Progress) -> None:
        exit = _exit(progress)
        found = exit.containment if exit is not None else None
        if found is None or found.is_strict or found in self._told:
            return
        self._told.add(found)
        message = "submissions of %s are contained by %s alone, which leaves them %s (isolation: strict refuses that)"
        _log.warning(message, self._event, found, _LACKS[found], extra={"action": "weak-containment"})


def _exit(progress: Progress) -> JobExit | None:
    match progress:
        case RunEnded(outcome=Scored(pulled=pulled)):
            return pulled.finished.exit
        case RunEnded(outcome=Failed(exit=exit)):
            return exit
        case _:
            return None
