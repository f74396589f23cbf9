"""Look at all instances of an event at once, for every run that wants to know about its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from contracts.instance import Instance
from runner.hosts.settings import Tempo
from runner.ports import Instances

_SLOWER = 1.5


class Watch:
    """One look serves everybody who asked before it began; looks follow each other slower until one is launched."""

    def __init__(
        self, instances: Instances, tags: Mapping[str, str], *, tempo: Tempo, clock: Callable[[], float]
    ) -> None:
        self._instances = instances
        self._tags = dict(tags)
        self._tempo = tempo
        self._clock = clock
        self._changed = threading.Condition()
        self._is_looking = False
        self._looks = 0  # that have begun
        self._seen_look = 0  # the one that `_seen` comes from
        self._seen: dict[str, Instance] = {}
        self._begun_at = float("-inf")
        self._pause_s = tempo.shortest_look
        self._launched_at: dict[str, float] = {}

    def expect(self, instance_id: str, age_s: float = 0.0) -> None:
        """Somebody holds this instance, which EC2 has named `age_s` ago: it may not list it yet."""
        with self._changed:
            if instance_id not in self._launched_at:
                self._launched_at[instance_id] = self._clock() - age_s
                self._pause_s = self._tempo.shortest_look

    def forget(self, instance_id: str) -> None:
        """It has been seen to have ended."""
        with self._changed:
            self._launched_at.pop(instance_id, None)

    def is_settling(self, instance_id: str) -> bool:
        """Whether it is so young that EC2 may not know it yet: not to be seen is no proof of its end then."""
        with self._changed:
            launched_at = self._launched_at.get(instance_id)
        return launched_at is not None and self._clock() - launched_at < self._tempo.settling

    def expected(self) -> list[str]:
        """The instances that somebody holds, as far as they have not been seen to have ended."""
        with self._changed:
            return list(self._launched_at)

    def look(self, instance_id: str, *, sleep: Callable[[float], None]) -> Instance | None:
        """Give the instance as of a look that begins from now on; None where EC2 knows none of that id.

        `sleep` is for the time until the next look is due. Raises CloudError, and what `sleep` raises.
        """
        with self._changed:
            needed = self._looks + 1
        while self._is_mine_to_do(needed):
            try:
                self._do_look(sleep)
            finally:
                with self._changed:
                    self._is_looking = False
                    self._changed.notify_all()
        with self._changed:
            found = self._seen.get(instance_id)
        if found is None and not self.is_settling(instance_id):
            return self._instances.instance(instance_id)  # its tags may have been changed: this is proof
        return found

    def _is_mine_to_do(self, needed: int) -> bool:
        """Wait for a look that is new enough; True where nobody else is about to make one."""
        with self._changed:
            self._changed.wait_for(lambda: self._seen_look >= needed or not self._is_looking)
            if self._seen_look >= needed:
                return False
            self._is_looking = True
            return True

    def _do_look(self, sleep: Callable[[float], None]) -> None:
        pause_s = self._begun_at + self._pause_s - self._clock()
        if pause_s > 0:
            sleep(pause_s)
        with self._changed:
            self._looks += 1
            number = self._looks
            self._begun_at = self._clock()
            self._pause_s = min(self._tempo.longest_look, _SLOWER * self._pause_s)
        found = {one.instance_id: one for one in self._instances.instances(self._tags)}
        with self._changed:
            self._seen, self._seen_look = found, number
