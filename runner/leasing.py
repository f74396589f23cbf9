"""Keep the leases of the runs a dispatcher is at."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from contracts.errors import RampartError
from runner.interruption import HandedBack
from runner.ports import Store
from runner.progress import LeasesRenewed, Observer

_log = logging.getLogger(__name__)


class Leases:
    """The lease tokens of the runs that go on, each with what ends its run when the organiser wants that."""

    def __init__(self, store: Store, event: str, observe: Observer) -> None:
        self._store = store
        self._event = event
        self._observe = observe
        self._cancels: dict[str, Callable[[], None]] = {}
        self._lock = threading.Lock()

    @property
    def tokens(self) -> set[str]:
        """The leases of all runs that go on."""
        with self._lock:
            return set(self._cancels)

    @contextmanager
    def held(self, token: str, cancel: Callable[[], None]) -> Iterator[None]:
        """Keep one lease for as long as the block lasts; HandedBack out of it ends the lease at once."""
        with self._lock:
            self._cancels[token] = cancel
        try:
            yield
        except HandedBack:
            self._hand_back(token)
            raise
        finally:
            with self._lock:
                self._cancels.pop(token, None)

    def renew(self) -> None:
        """Renew all leases."""
        held = self.tokens
        if not held:
            return
        try:
            self._store.renew(held)
        except RampartError as error:  # the next try comes before the lease ends; after that, adoption is fine too
            _log.warning("leases of %s were not renewed: %s", self._event, error, extra={"action": "renew"})
            self._observe(LeasesRenewed(self._event, succeeded=False))
        else:
            self._observe(LeasesRenewed(self._event, succeeded=True))

    def cancel_unwanted(self) -> None:
        """End the runs that the organiser wants ended."""
        held = self.tokens
        if not held:
            return
        try:
            unwanted = self._store.unwanted(held)
        except RampartError as error:  # a database that is away is told about by what needs it more
            _log.debug("nobody knows which runs of %s to cancel: %s", self._event, error)
            return
        for token in unwanted:
            with self._lock:
                cancel = self._cancels.get(token)
            if cancel is not None:
                cancel()

    def _hand_back(self, token: str) -> None:
        try:
            self._store.hand_back({token})
        except RampartError as error:
            _log.warning("a lease of %s stays until it ends: %s", self._event, error, extra={"action": "hand-back"})
