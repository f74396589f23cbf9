"""Tell runs that EC2 will take their spot instance back, from one look at all of them."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable

from contracts.errors import CloudError
from runner.ports import Instances

_log = logging.getLogger(__name__)


class Notices:
    """Looks every `pause_s` for as long as somebody listens, in a thread of its own."""

    def __init__(self, instances: Instances, pause_s: float) -> None:
        self._instances = instances
        self._pause_s = pause_s
        self._changed = threading.Condition()
        self._listening: dict[int, tuple[str, Callable[[str], None]]] = {}
        self._numbers = itertools.count()
        self._is_running = False

    def listen(self, instance_id: str, call: Callable[[str], None]) -> Callable[[], None]:
        """Have `call` called once, with the reason, when the instance is marked; returns how to take that back."""
        with self._changed:
            number = next(self._numbers)
            self._listening[number] = (instance_id, call)
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._watch, name="spot-notices", daemon=True).start()

        def forget() -> None:
            self._forget(number)

        return forget

    def tell(self) -> None:
        """Look once, and call those who are concerned."""
        with self._changed:
            listening = dict(self._listening)
        if not listening:
            return
        marked = self._instances.reclaimed(sorted({instance_id for instance_id, _ in listening.values()}))
        for number, (instance_id, call) in listening.items():
            if instance_id not in marked or not self._forget(number):
                continue
            _log.warning("EC2 takes %s back: %s", instance_id, marked[instance_id], extra={"action": "spot-notice"})
            try:
                call(f"EC2 takes {instance_id} back: {marked[instance_id]}")
            except Exception:  # others are waiting for theirs
                _log.exception("a spot notice of %s was not acted on", instance_id)

    def _forget(self, number: int) -> bool:
        with self._changed:
            was_there = self._listening.pop(number, None) is not None
            self._changed.notify_all()
        return was_there

    def _watch(self) -> None:
        while self._is_wanted():
            try:
                self.tell()
            except CloudError as error:
                _log.warning("no look for spot notices: %s", error)
            with self._changed:
                self._changed.wait_for(lambda: not self._listening, self._pause_s)

    def _is_wanted(self) -> bool:
        with self._changed:
            self._is_running = bool(self._listening)
            return self._is_running
