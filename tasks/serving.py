"""Serve every event whose window is open, in one process."""

from __future__ import annotations

import logging
import sys
import threading
import time
from contextvars import copy_context
from datetime import datetime

from contracts.errors import RampartError
from contracts.event import EventConfig, HungerPolicy
from runner.app import now, open_catalogue
from runner.interruption import Interruption
from runner.store import Window
from tasks import console, events, training
from tasks.watching import Watch

_log = logging.getLogger(__name__)
_LOOK_AGAIN_S = 60.0


def serve_open_events(
    *, config: str | None, local: bool, hunger_policy: str | None, terminate: bool, watch: Watch
) -> None:
    """Serve until a signal, or until every event that was served has ended by its hunger policy; then exit.

    An event whose file, database or window allows it only later is taken up within a minute. One that closes while it
    is served goes on being served, and one that closed before is served until its queue is empty.
    """
    house = _House(config, local, training.policy_of(hunger_policy), watch)
    with training.stopped_by_signals(house.interruption, terminate=terminate):
        house.run()
    if house.interruption.asked:
        sys.exit(130)
    if house.failed:
        sys.exit(1)


class _House:
    """The events of this deployment, each that is open with a dispatcher in a thread of its own."""

    def __init__(self, config: str | None, local: bool, policy: HungerPolicy | None, watch: Watch) -> None:
        self._config = config
        self._local = local
        self._policy = policy
        self._watch = watch
        self.interruption = Interruption()
        self.failed = False
        self._changed = threading.Event()
        self._threads: dict[str, threading.Thread] = {}
        self._ended: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._told: set[str] = set()

    def run(self) -> None:
        """Take up events as they open, until there is nothing left to wait for."""
        forget = self.interruption.on_ask(self._changed.set)
        try:
            while not self.interruption.asked:
                self._changed.clear()
                for name in events.event_names():
                    if not self._is_served(name) and name not in self._ended:
                        self._try(name)
                if self._is_done():
                    break
                self._changed.wait(_LOOK_AGAIN_S)
        finally:
            forget()
        for thread in self._threads.values():
            thread.join()

    def _is_served(self, name: str) -> bool:
        return name in self._threads and self._threads[name].is_alive()

    def _is_done(self) -> bool:
        is_idle = not any(map(self._is_served, self._threads))
        return is_idle and (self._policy is HungerPolicy.EXIT or bool(self._ended))

    def _try(self, name: str) -> None:
        """Serve an event if it may be served now; say once why not."""
        if time.monotonic() < self._not_before.get(name, 0.0):
            return
        try:
            event = events.read_event(name, config=self._config, local=self._local)
            why_not, policy = self._judged(event, now())
            if not why_not:
                events.open_event(name, config=self._config, local=self._local)  # which tells its warnings
        except RampartError as error:
            why_not = error.message
        except Exception as error:  # one event that breaks must not end the others
            self._broke(name, error)
            return
        if why_not:
            self._say_once(f"{name} is not served: {why_not}")
            return
        run = copy_context().run  # hints are to be for the cloud that was asked for there too
        thread = threading.Thread(
            target=run, args=(self._serve, name, event, policy), name=f"serve-{name}", daemon=True
        )
        self._threads[name] = thread
        thread.start()

    def _judged(self, event: EventConfig, at: datetime) -> tuple[str, HungerPolicy | None]:
        """Why an event is not served, empty where it is, and by which policy."""
        catalogue = open_catalogue(event)
        window = catalogue.window(event.name)
        if window is None:
            return "nothing was submitted to it yet", None
        if window.is_open(at):
            return "", self._policy
        found = catalogue.counts(event.name)
        if found.waiting or found.runs_by_stage or found.orphaned:
            return "", HungerPolicy.EXIT
        return _when(window, at), None

    def _serve(self, name: str, event: EventConfig, policy: HungerPolicy | None) -> None:
        try:
            summary = training.serve_event(event, self.interruption, policy, self._watch)
            self.failed |= bool(summary.unexpected)
            self._ended.add(name)
        except Exception as error:
            self._broke(name, error)
        finally:
            self._changed.set()

    def _broke(self, name: str, error: Exception) -> None:
        """Tell, and try again in a minute unless we are to end."""
        is_expected = isinstance(error, RampartError)
        _log.error("%s is not served: %s", name, error, exc_info=None if is_expected else error)
        self._not_before[name] = time.monotonic() + _LOOK_AGAIN_S
        self.failed = True
        if self._policy is HungerPolicy.EXIT:
            self._ended.add(name)

    def _say_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            console.say(text, style="yellow")


def _when(window: Window, at: datetime) -> str:
    if window.opens_at is not None and at < window.opens_at:
        return f"it opens at {console.moment(window.opens_at)}"
    return "it is closed and nothing is left in its queue"
