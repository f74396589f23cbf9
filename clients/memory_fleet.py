"""A standing fleet in memory, whose machines are those of clients.memory_instances."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from datetime import datetime

from clients.memory_instances import MemoryInstances
from contracts.instance import Instance


class MemoryFleet:
    """It launches what is missing when it is resized, and ends nothing; `sizes` are what it was resized to."""

    def __init__(
        self, instances: MemoryInstances, tags: Mapping[str, str], now: Callable[[], datetime], target: int = 0
    ) -> None:
        """`tags` are its machines', and tell them from all others."""
        self._instances = instances
        self._tags = dict(tags)
        self._now = now
        self._target = 0
        self._numbers = itertools.count(1)
        self.sizes: list[tuple[int, int]] = []
        """Targets, and how many of each were to be on demand."""
        self._fill(target)

    def target(self) -> int:
        """How many machines it is to have."""
        return self._target

    def resize(self, target: int, *, on_demand: int) -> None:
        """Launch up to so many machines."""
        self.sizes.append((target, on_demand))
        self._fill(target)

    def _fill(self, target: int) -> None:
        self._target = target
        up = [each for each in self._instances.instances(self._tags) if not each.has_ended]
        for _ in range(target - len(up)):
            number = next(self._numbers)
            machine = Instance(
                instance_id=f"i-{number:016x}f",
                state="running",
                address=f"127.78.0.{number}",
                image_id="ami-1",
                instance_type="t3.medium",
                launched_at=self._now(),
                tags=dict(self._tags),
                private_address=f"10.78.0.{number}",
            )
            self._instances.put(machine)
