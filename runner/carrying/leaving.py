"""Leave a host that is about to be taken away, with the folds the run has finished on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from contracts.errors import RampartError
from contracts.work import Launched, Provisioned
from runner.interruption import Interruption, Wish
from runner.ports import Hosts, Warned
from runner.stages import salvage

_log = logging.getLogger(__name__)


class Leaving:
    """One run's ear for the notice. `interruption` is the run's own: it is asked when the notice comes."""

    def __init__(self, hosts: Hosts, interruption: Interruption) -> None:
        self._hosts = hosts
        self._interruption = interruption
        self.reason = ""

    @contextmanager
    def heard(self, provisioned: Provisioned) -> Iterator[None]:
        """While the block lasts, a notice breaks off whatever waits in it."""
        if not isinstance(self._hosts, Warned):  # nobody takes it away
            yield
            return
        forget = self._hosts.on_notice(provisioned, self._break_off)
        try:
            yield
        finally:
            forget()

    def bring_home(self, launched: Launched) -> None:
        """Keep what the job has finished, for the next attempt; a host that goes too soon leaves nothing new."""
        try:
            transport = self._hosts.connect(launched.pushed.provisioned)
            try:
                kept = salvage.salvage(launched, transport)
            finally:
                transport.close()
        except (RampartError, OSError) as error:
            _log.warning("no fold was brought home: %s", error, extra={"action": "salvage-failed"})
            return
        named = ", ".join(map(str, kept)) or "none"
        _log.warning("%s; finished folds that are kept: %s", self.reason, named, extra={"action": "salvaged"})

    def _break_off(self, reason: str) -> None:
        self.reason = reason
        self._interruption.ask(Wish.LEAVE)
