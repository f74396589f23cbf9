"""Remember which pools lack machines, and how many hosts the account may have."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence

from contracts.instance import Pool, Refusal
from runner.hosts.settings import Tempo

QUOTA_CODES = frozenset({"InstanceLimitExceeded", "MaxSpotInstanceCountExceeded", "VcpuLimitExceeded"})
CAPACITY_CODES = frozenset(
    {
        "InsufficientFreeAddressesInSubnet",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "SpotMaxPriceTooLow",
        "UnfulfillableCapacity",
    }
)
NEVER_CODES = frozenset({"InvalidFleetConfiguration", "Unsupported"})
"""What a pool will say another day too: the zone does not have such machines."""
POOL_CODES = QUOTA_CODES | CAPACITY_CODES | NEVER_CODES


class Capacity:
    """The pools of one market (spot or on-demand): one that had no machine is passed over for a while."""

    def __init__(self, pools: Sequence[Pool], tempo: Tempo, clock: Callable[[], float]) -> None:
        types = dict.fromkeys(pool.instance_type for pool in pools)
        self._by_type = [[pool for pool in pools if pool.instance_type == one] for one in types]
        self._tempo = tempo
        self._clock = clock
        self._rests_until: dict[Pool, float] = {}
        self._retry_at = 0.0
        self._retry_s = 0.0
        self._turn = 0
        self._lock = threading.Lock()

    def choices(self) -> tuple[Pool, ...]:
        """The pools worth asking: type by type in the given order, of each beginning with the one whose turn it is.

        None while all of them rest; when that is over for the time being, one call may ask them all.
        """
        with self._lock:
            now = self._clock()
            if now < self._retry_at:
                return ()
            ordered = tuple(pool for pools in self._by_type for pool in _from(pools, self._turn))
            self._turn += 1
            return tuple(pool for pool in ordered if self._rests_until.get(pool, 0.0) <= now) or ordered

    def note(self, asked: Collection[Pool], refusals: Collection[Refusal], *, has_granted: bool) -> None:
        """A call is answered: pools that refused rest, and where there are machines nobody needs to wait."""
        with self._lock:
            refused = {refusal.pool for refusal in refusals}
            rest = dict.fromkeys(refused, self._clock() + self._tempo.pool_rest)
            self._rests_until |= rest
            if has_granted:
                self._retry_s = self._retry_at = 0.0
                for pool in set(asked) - refused:
                    self._rests_until.pop(pool, None)

    def nothing_left(self) -> None:
        """No pool had enough: all of them are asked again, later each time."""
        with self._lock:
            self._retry_s = min(self._tempo.longest_retry, 2 * self._retry_s or self._tempo.first_retry)
            self._retry_at = self._clock() + self._retry_s

    def retry_after_s(self) -> float:
        """How long until it is worth asking again."""
        with self._lock:
            return max(1.0, self._retry_at - self._clock())


def _from(pools: Sequence[Pool], turn: int) -> Sequence[Pool]:
    start = turn % len(pools)
    return [*pools[start:], *pools[:start]]


class Limit:
    """How many hosts the account allowed; tried to be raised by one now and then."""

    def __init__(self, rest_s: float, clock: Callable[[], float]) -> None:
        self._rest_s = rest_s
        self._clock = clock
        self._lock = threading.Lock()
        self._reached: int | None = None
        self._at = 0.0

    def met(self, reached: int) -> None:
        """The account had `reached` hosts and was refused another."""
        with self._lock:
            self._reached, self._at = max(1, reached), self._clock()

    def now(self) -> int | None:
        """What may be up at present; None where no limit was met."""
        with self._lock:
            if self._reached is None:
                return None
            return self._reached + int((self._clock() - self._at) / self._rest_s)
