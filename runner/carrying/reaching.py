"""Reach a run's host for as long as it may be alive."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TypeVar

from contracts.errors import CloudError, HostGone, HostKeyRefused, HostUnreachable
from contracts.work import Provisioned
from runner.carrying.patience import Patience
from runner.interruption import Interrupted, Interruption
from runner.ports import Hosts, Transport

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Reach:
    """Opens connections, and makes them again: a silent host says nothing about what runs on it."""

    def __init__(
        self, hosts: Hosts, interruption: Interruption, now: Callable[[], datetime], patience: Patience
    ) -> None:
        self._hosts = hosts
        self._interruption = interruption
        self._now = now
        self._patience = patience

    def act(self, provisioned: Provisioned, do: Callable[[Transport], T]) -> T:
        """Do something over a connection; when that breaks, over another one, so it must bear being done again.

        Raises HostGone as soon as the host's owner says that it has ended, HostUnreachable when it was silent for too
        long, Interrupted when somebody asks to stop.
        """
        silent_since: datetime | None = None
        breaks = 0
        pauses = self._patience.pauses()
        while True:
            answered = False
            try:
                with self._connected(provisioned) as transport:
                    answered = True
                    return do(transport)
            except HostKeyRefused:
                raise
            except HostUnreachable as error:
                silent_since = self._now() if answered or silent_since is None else silent_since
                breaks += answered
                self._check(provisioned, error, silent_since, breaks)
            self._interruption.sleep(next(pauses))

    def _check(self, provisioned: Provisioned, error: HostUnreachable, silent_since: datetime, breaks: int) -> None:
        """Raise where there is nothing left to wait for."""
        host_id = provisioned.host.host_id
        if self._interruption.asked:
            raise Interrupted from error
        if self._is_gone(provisioned):
            raise HostGone(f"host {host_id} ended during the run") from error
        silent_for = self._now() - silent_since
        if breaks > self._patience.breaks or silent_for >= timedelta(seconds=self._patience.silence_s):
            raise error
        _log.warning("connection to %s lost, reconnecting: %s", host_id, error, extra={"action": "reconnect"})

    def _is_gone(self, provisioned: Provisioned) -> bool:
        try:
            return self._hosts.is_gone(provisioned)
        except CloudError as error:  # who cannot be asked says nothing
            _log.warning("cannot ask about %s: %s", provisioned.host.host_id, error, extra={"action": "reconnect"})
            return False

    @contextmanager
    def _connected(self, provisioned: Provisioned) -> Iterator[Transport]:
        transport = self._hosts.connect(provisioned)
        forget = self._interruption.on_ask(transport.close)
        try:
            yield transport
        finally:
            forget()
            transport.close()
