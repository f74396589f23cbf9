"""Hold what is wrong with a cloud on purpose: which fault, for how long, how many times."""

from __future__ import annotations

import dataclasses
import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, ClassVar, TypeVar

from contracts.errors import AskedWrongly, UnknownName


class Market(StrEnum):
    SPOT = "spot"
    ON_DEMAND = "on-demand"


@dataclass(frozen=True, slots=True)
class Pool:
    """Where an instance is launched."""

    instance_type: str
    subnet_id: str | None
    market: Market


@dataclass(frozen=True, slots=True)
class Freeze:
    """A host stands still: its processes are stopped, its SSH does not answer; EC2 says `running`."""

    about: ClassVar[str] = "stop a host's processes and its SSH; the instance stays running"
    counted: ClassVar[bool] = False
    instance_id: str


@dataclass(frozen=True, slots=True)
class Partition:
    """A host is cut off: its SSH does not answer, its processes go on."""

    about: ClassVar[str] = "cut a host's SSH off; its processes go on"
    counted: ClassVar[bool] = False
    instance_id: str


@dataclass(frozen=True, slots=True)
class NoCapacity:
    """Launches in a pool answer InsufficientInstanceCapacity; what is None means any."""

    about: ClassVar[str] = "refuse launches in a pool: InsufficientInstanceCapacity"
    counted: ClassVar[bool] = True
    instance_type: str | None = None
    subnet_id: str | None = None
    market: Market | None = None

    def concerns(self, pool: Pool) -> bool:
        return (
            self.instance_type in (None, pool.instance_type)
            and self.subnet_id in (None, pool.subnet_id)
            and self.market in (None, pool.market)
        )


@dataclass(frozen=True, slots=True)
class Quota:
    """No more than `above` instances of a market may live in a region."""

    about: ClassVar[str] = "refuse instances above a number: MaxSpotInstanceCountExceeded, VcpuLimitExceeded"
    counted: ClassVar[bool] = True
    market: Market
    above: int


@dataclass(frozen=True, slots=True)
class Throttle:
    """A fraction of the calls that `action` (with * and ?) names is refused: EC2's and Image Builder's."""

    about: ClassVar[str] = "refuse a fraction of EC2's and Image Builder's calls as too many"
    counted: ClassVar[bool] = True
    action: str = "*"
    fraction: float = 1.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Slow:
    """Calls of EC2 and Image Builder take longer."""

    about: ClassVar[str] = "let calls of EC2 and Image Builder take longer"
    counted: ClassVar[bool] = True
    delay_s: float
    action: str = "*"


@dataclass(frozen=True, slots=True)
class LostAnswer:
    """Calls of EC2 and Image Builder are carried out, then the connection is dropped without an answer."""

    about: ClassVar[str] = "carry calls of EC2 and Image Builder out, then drop the connection without an answer"
    counted: ClassVar[bool] = True
    action: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """The API does not know an instance: the one named, or every one younger than `younger_than_s`."""

    about: ClassVar[str] = "let the API not know an instance, or every one that is younger than some seconds"
    counted: ClassVar[bool] = False
    instance_id: str | None = None
    younger_than_s: float | None = None

    def hides(self, instance_id: str, age_s: float) -> bool:
        if self.instance_id not in (None, instance_id):
            return False
        return age_s < self.younger_than_s if self.younger_than_s is not None else self.instance_id is not None


@dataclass(frozen=True, slots=True)
class HollowTermination:
    """TerminateInstances answers that it does it, and does not: for one instance, or for whole calls."""

    about: ClassVar[str] = "let TerminateInstances answer well and do nothing"
    counted: ClassVar[bool] = True
    instance_id: str | None = None


@dataclass(frozen=True, slots=True)
class StuckImage:
    """An image that is made stays pending, and never becomes available."""

    about: ClassVar[str] = "let an image that is made stay pending for ever"
    counted: ClassVar[bool] = True


Fault = Freeze | Partition | NoCapacity | Quota | Throttle | Slow | LostAnswer | Unseen | HollowTermination | StuckImage
F = TypeVar("F", bound=Fault)

KINDS: dict[str, type[Fault]] = {
    "freeze": Freeze,
    "partition": Partition,
    "no-capacity": NoCapacity,
    "quota": Quota,
    "throttle": Throttle,
    "slow": Slow,
    "lost-answer": LostAnswer,
    "unseen": Unseen,
    "hollow-termination": HollowTermination,
    "stuck-image": StuckImage,
}


@dataclass(slots=True)
class Injection:
    """One fault that was asked for; `left` and `ends_at` are None where nothing bounds it."""

    name: str
    fault: Fault
    left: int | None
    ends_at: float | None
    chance: random.Random = field(repr=False)

    def as_json(self, now: float) -> dict[str, Any]:
        kind = next(kind for kind, made in KINDS.items() if isinstance(self.fault, made))
        remaining = None if self.ends_at is None else round(self.ends_at - now, 3)
        parameters = {name: value for name, value in dataclasses.asdict(self.fault).items() if value is not None}
        return {"injection": self.name, "kind": kind, **parameters, "left": self.left, "seconds_left": remaining}


class Injections:
    """The faults of one cloud, oldest first. Methods may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._all: dict[str, Injection] = {}
        self._lock = threading.Lock()

    def add(self, fault: Fault, *, count: int | None = None, seconds: float | None = None) -> str:
        """Begin a fault; gives the name it can be undone by. It is over after `count` times and after `seconds`."""
        if count is not None and (not fault.counted or count < 1):
            raise AskedWrongly(f"{type(fault).__name__} cannot happen {count} times", hint="bound it by seconds")
        if isinstance(fault, Unseen) and fault.instance_id is None and fault.younger_than_s is None:
            raise AskedWrongly("which instances shall be unseen?", hint="name one, or an age")
        ends_at = None if seconds is None else self._clock() + seconds
        with self._lock:
            name = f"fault-{next(self._numbers)}"
            chance = random.Random(fault.seed if isinstance(fault, Throttle) else 0)  # noqa: S311 (dice, not secrets)
            self._all[name] = Injection(name, fault, count, ends_at, chance)
        return name

    def remove(self, name: str) -> Fault:
        """End a fault before its time; raises UnknownName when it is over already or never was."""
        with self._lock:
            self._drop_what_is_over()
            found = self._all.pop(name, None)
        if found is None:
            raise UnknownName(f"no fault {name}", hint="python -m localcloud inject list")
        return found.fault

    def active(self) -> list[Injection]:
        with self._lock:
            self._drop_what_is_over()
            return list(self._all.values())

    def listed(self) -> list[dict[str, Any]]:
        """What is active, as one prints it."""
        return [injection.as_json(self._clock()) for injection in self.active()]

    def of(self, kind: type[F]) -> list[F]:
        """The active faults of a kind."""
        return [injection.fault for injection in self.active() if isinstance(injection.fault, kind)]

    def strike(self, kind: type[F], concerns: Callable[[F], bool]) -> F | None:
        """The first fault of a kind that concerns what happens now; counted as happened."""
        with self._lock:
            self._drop_what_is_over()
            for injection in self._all.values():
                fault = injection.fault
                if isinstance(fault, kind) and concerns(fault) and _dice_say_so(injection):
                    if injection.left is not None:
                        injection.left -= 1
                    return fault
        return None

    def _drop_what_is_over(self) -> None:
        now = self._clock()
        over = [
            name
            for name, injection in self._all.items()
            if injection.left == 0 or (injection.ends_at is not None and injection.ends_at <= now)
        ]
        for name in over:
            del self._all[name]


def made_from(kind: str, parameters: Mapping[str, Any]) -> Fault:
    """A fault from its kind's name and plain values, as they come over the control door."""
    if kind not in KINDS:
        raise UnknownName(f"no fault {kind}", hint=", ".join(KINDS))
    given = {name: value for name, value in parameters.items() if value is not None}
    try:
        if "market" in given:
            given["market"] = Market(given["market"])
        return KINDS[kind](**given)
    except (TypeError, ValueError) as error:
        raise AskedWrongly(f"{kind}: {error}", hint=f"python -m localcloud inject {kind} --help") from error


def names_action(fault: Throttle | Slow | LostAnswer, action: str) -> bool:
    return fnmatchcase(action, fault.action)


def _dice_say_so(injection: Injection) -> bool:
    fault = injection.fault
    return not isinstance(fault, Throttle) or injection.chance.random() < fault.fraction
