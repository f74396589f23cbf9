"""Keep fleets at their targets until they end: what dies is replaced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from localcloud.fleet_crews import Crew
from localcloud.fleet_offers import Offer

_AGAIN_S = 1.0
"""After a launch that was refused; EC2 waits longer."""


@dataclass(slots=True, eq=False)
class Standing:
    """A fleet that is kept up. `targets` and `offers` are by market, offers in the order they are taken.

    Where it `replaces` nothing, it is filled once. At `until` nothing more is launched; with `ends_machines` those that
    run are ended then. `changed` is called when machines may have come or gone.
    """

    crew: Crew
    targets: dict[str, float]
    offers: Mapping[str, Sequence[Offer]]
    until: datetime | None
    ends_machines: bool
    replaces: bool
    changed: Callable[[], None]

    def settle(self) -> bool:
        """Launch what is missing; tells whether the targets are reached."""
        for market, target in self.targets.items():
            self.crew.fill(market, target, self.offers[market])
        self.changed()
        return self.is_filled()

    def shrink(self) -> None:
        """End what is more than the targets."""
        for market, target in self.targets.items():
            self.crew.shrink(market, target)
        self.changed()

    def is_filled(self) -> bool:
        return all(self.crew.capacity(market) >= target for market, target in self.targets.items())


class Keeper:
    """Every standing fleet of a cloud. Launches of fleets are one at a time; a thread of its own replaces."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        """Held while a fleet is made, changed, settled or ended."""
        self._fleets: list[Standing] = []
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False

    def keep(self, fleet: Standing) -> None:
        """Fill a fleet, and keep it so from now on."""
        with self.lock:
            fleet.settle()
            self._fleets.append(fleet)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="localcloud-fleets", daemon=True)
                self._thread.start()
        self.wake()

    def drop(self, fleet: Standing, *, ends_machines: bool) -> None:
        """Replace nothing more."""
        with self.lock:
            if fleet in self._fleets:
                self._fleets.remove(fleet)
            fleet.targets = dict.fromkeys(fleet.targets, 0.0)
            if ends_machines:
                fleet.shrink()

    def wake(self) -> None:
        """Look at the fleets: a machine may have ended."""
        self._woken.set()

    def close(self) -> None:
        """Replace nothing more, in any fleet."""
        self._closed = True
        self.wake()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._closed:
            self._woken.clear()
            self._woken.wait(self._look())

    def _look(self) -> float | None:
        """Settle every fleet; gives the seconds until the next look, None where nothing is due."""
        with self.lock:
            if self._closed:
                return None
            now = datetime.now(UTC)
            for fleet in [each for each in self._fleets if each.until is not None and each.until <= now]:
                self.drop(fleet, ends_machines=fleet.ends_machines)
            filled = [fleet.settle() for fleet in self._fleets if fleet.replaces]
            ends = [(fleet.until - now).total_seconds() for fleet in self._fleets if fleet.until is not None]
        waits = ends if all(filled) else [*ends, _AGAIN_S]
        return min(waits, default=None)
