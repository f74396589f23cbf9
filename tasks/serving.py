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
from tasks import console, events, training
from tasks.watching import Watch

_log = logging.getLogger(__name__)
_LOOK_AGAIN_S = 60.0
_PAUSED = "it is paused; when what paused it is mended: invoke resume --event {name}"


def serve_open_events(
    *, config: str | None, local: bool, hunger_policy: str | None, terminate: bool, watch: Watch
) -> None:
    """Serve until a signal, or until every event that was served has ended by its hunger policy; then exit.

    An event whose file, database or window allows it only later is taken up within a minute. One that is closed, or
    closes meanwhile, is served until its queue is empty: what was submitted in time is run. One that is
    paused is taken up again when it was resumed, unless all are to end when their queues are empty.
    """
    house = _House(config, local, training.policy_of(hunger_policy), watch)
    with training.stopped_by_signals(house.interruption, terminate=terminate):
        house.run()
    if house.interruption.asked:
        sys.exit(130)
    if house.failed:
        sys.exit(1)


def is_shut(event: EventConfig) -> bool:
    """Whether the event's window is known and lies in the future or the past."""
    window = open_catalogue(event).window(event.name)
    return window is not None and not window.is_open(now())


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
        self._to_open: set[str] = set()
        self._told: set[str] = set()
        self._paused: set[str] = set()

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
        waits = self._to_open | self._paused
        return is_idle and (self._policy is HungerPolicy.EXIT or (bool(self._ended) and not waits))

    def _try(self, name: str) -> None:
        """Serve an event if it may be served now; say once why not."""
        if time.monotonic() < self._not_before.get(name, 0.0):
            return
        try:
            event = events.read_event(name, config=self._config, local=self._local)
            why_not = self._why_not(event, now())
            if not why_not:
                events.open_event(name, config=self._config, local=self._local)  # which tells its warnings
        except RampartError as error:
            why_not = error.message
        except Exception as error:  # one event that breaks must not end the others
            self._broke(name, error)
            return
        if why_not:
            self._say_once(_not_served(name, why_not))
            return
        run = copy_context().run  # hints are to be for the cloud that was asked for there too
        thread = threading.Thread(target=run, args=(self._serve, name, event), name=f"serve-{name}", daemon=True)
        self._threads[name] = thread
        thread.start()

    def _why_not(self, event: EventConfig, at: datetime) -> str:
        """Why an event is not served, empty where it is."""
        catalogue = open_catalogue(event)
        if event.name in self._paused:
            if catalogue.counts(event.name).is_paused:
                return _PAUSED.format(name=event.name)
            self._paused.discard(event.name)
            self._told.discard(_not_served(event.name, _PAUSED.format(name=event.name)))
        window = catalogue.window(event.name)
        self._to_open.discard(event.name)
        if window is None:
            return "nothing was submitted to it yet"
        if window.is_open(at):
            return ""
        if window.opens_at is not None and at < window.opens_at:
            self._to_open.add(event.name)
            return f"it opens at {console.moment(window.opens_at)}"
        found = catalogue.counts(event.name)
        is_in_use = found.waiting or found.runs_by_stage or found.orphaned
        return "" if is_in_use else "it is closed and nothing is left in its queue"

    def _serve(self, name: str, event: EventConfig) -> None:
        try:
            summary = training.serve_event(event, self.interruption, self._policy, self._watch, until_closed=True)
            self.failed |= bool(summary.unexpected)
            if summary.paused and self._policy is not HungerPolicy.EXIT:
                self._paused.add(name)
                return
            if summary.paused:
                self.failed = True
                self._say_once(_not_served(name, _PAUSED.format(name=name)))
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


def _not_served(name: str, why_not: str) -> str:
    return f"{name} is not served: {why_not}"
