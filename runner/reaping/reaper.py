"""End the instances of a stack that outlived their time, by their tags alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from contracts.errors import CloudError
from contracts.instance import Instance

STACK_TAG = "rampart:stack"
EXPIRES_TAG = "rampart:expires-at"
LIFETIME_TAG = "rampart:max-lifetime-s"
"""On what AWS launches by itself, for which nobody could write a moment down: seconds counted from the launch."""
KEEP_TAG = "rampart:keep"

_OVER = frozenset({"shutting-down", "terminated"})  # a stopped instance still costs its disk: it is not over
_BATCH = 100
_PAUSES_S = (0.5, 2.0, 5.0, 10.0)  # EC2 may still show an instance running for a moment after it agreed to end it
_ABOUT_ONE_ID = ("InvalidInstanceID", "IncorrectInstanceState", "OperationNotPermitted", "UnsupportedOperation")


class Account(Protocol):
    """The EC2 API as the reaper uses it. Every verb may raise CloudError."""

    def instances(self, tags: Mapping[str, str]) -> list[Instance]:
        """Every instance that carries `tags`, ended ones included; may give more than that."""
        ...

    def terminate(self, instance_ids: Sequence[str]) -> None:
        """End instances; those already gone count as ended. May end none of them because of one."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """When an instance may be ended.

    A younger one than `boot_grace` never is, whatever its tags say: its launch may not be written down yet. One that
    tells no readable deadline is ended at the age of `longest_untold`, which is longer than an image build takes. Of
    two that it tells, the first counts.
    """

    boot_grace: timedelta = timedelta(minutes=10)
    longest_untold: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Doomed:
    """An instance that is to be ended, with the reason."""

    instance: Instance
    reason: str


class Outcome(StrEnum):
    """What became of a marked instance."""

    ENDED = "ended"
    GONE = "gone"  # it ended without us
    SPARED = "spared"  # its tags changed before the second look
    STILL_UP = "still up"


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a marked instance; `problem` says why one is still up."""

    doomed: Doomed
    outcome: Outcome
    problem: str = ""


def doomed(
    instances: Iterable[Instance], now: datetime, *, stack: str, limits: Limits | None = None
) -> tuple[Doomed, ...]:
    """Choose what is to be ended: only what carries exactly this stack's tag, and nothing tagged `rampart:keep`."""
    bounds = limits or Limits()
    return tuple(
        Doomed(instance, reason)
        for instance in instances
        if _is_ours(instance, stack) and (reason := _reason(instance, now, bounds))
    )


class Reaper:
    """The switch of last resort: needs no database and no memory but its own between two looks."""

    def __init__(
        self,
        account: Account,
        *,
        stack: str,
        now: Callable[[], datetime],
        sleep: Callable[[float], None],
        limits: Limits | None = None,
    ) -> None:
        self._account = account
        self._stack = stack
        self._now = now
        self._sleep = sleep
        self._limits = limits

    def live(self) -> list[Instance]:
        """The stack's instances that cost something."""
        listed = self._account.instances({STACK_TAG: self._stack})
        return [found for found in listed if found.tags.get(STACK_TAG) == self._stack and found.state not in _OVER]

    def doomed(self, instances: Iterable[Instance]) -> tuple[Doomed, ...]:
        """The first pass: mark."""
        return doomed(instances, self._now(), stack=self._stack, limits=self._limits)

    def end(self, marked: Sequence[Doomed]) -> tuple[Fate, ...]:
        """The second pass, an interval after the first: look again right before the kill, end, see that it has ended.

        Ends nothing that was not marked. What cannot be ended is told, and keeps nothing else from being ended.
        """
        fates: dict[str, Fate] = {}
        problems: dict[str, str] = {}
        told: set[str] = set()
        for pause_s in (*_PAUSES_S, None):
            left = [each for each in marked if each.instance.instance_id not in fates]
            for batch in _batches(left):
                problems |= self._end_batch(batch, fates, told, look_only=pause_s is None)
            if len(fates) == len(marked) or pause_s is None:
                break
            self._sleep(pause_s)
        return tuple(fates.get(each.instance.instance_id) or _still_up(each, problems) for each in marked)

    def _end_batch(
        self, batch: Sequence[Doomed], fates: dict[str, Fate], told: set[str], *, look_only: bool
    ) -> dict[str, str]:
        """Note the fates that are settled, tell the others to end; gives what kept them from it."""
        by_id = {each.instance.instance_id: each for each in batch}
        try:
            live = {found.instance_id: found for found in self.live()}
        except CloudError as error:
            return dict.fromkeys(by_id, str(error))
        still = {each.instance.instance_id for each in self.doomed(live.values())}
        for instance_id, each in by_id.items():
            if instance_id not in live:
                fates[instance_id] = Fate(each, Outcome.ENDED if instance_id in told else Outcome.GONE)
            elif instance_id not in still:
                fates[instance_id] = Fate(each, Outcome.SPARED)
        if look_only:
            return {}
        to_end = [instance_id for instance_id in by_id if instance_id not in fates]
        told.update(to_end)
        return self._terminate(to_end)

    def _terminate(self, instance_ids: list[str]) -> dict[str, str]:
        """End instances; where EC2 refuses all because of one, halve until that one stands alone."""
        if not instance_ids:
            return {}
        try:
            self._account.terminate(instance_ids)
        except CloudError as error:
            if len(instance_ids) == 1 or not error.code.startswith(_ABOUT_ONE_ID):
                return dict.fromkeys(instance_ids, str(error))
            half = len(instance_ids) // 2
            return self._terminate(instance_ids[:half]) | self._terminate(instance_ids[half:])
        return dict.fromkeys(instance_ids, "EC2 agreed to end it and still shows it up")


def deadline_of(instance: Instance) -> datetime | None:
    """When an instance ends itself at the latest, by its tags; None where they tell no readable time."""
    expires, longest = _instant(instance.tags.get(EXPIRES_TAG)), _seconds(instance.tags.get(LIFETIME_TAG))
    ends = [expires, None if longest is None else instance.launched_at + longest]
    return min((end for end in ends if end is not None), default=None)


def _is_ours(instance: Instance, stack: str) -> bool:
    return bool(stack) and instance.tags.get(STACK_TAG) == stack and KEEP_TAG not in instance.tags


def _reason(instance: Instance, now: datetime, limits: Limits) -> str:
    """Why an instance of ours is to be ended; empty where it is not."""
    age = now - instance.launched_at
    if instance.state in _OVER or age < limits.boot_grace:
        return ""
    expires, lifetime = instance.tags.get(EXPIRES_TAG), instance.tags.get(LIFETIME_TAG)
    deadline, longest = _instant(expires), _seconds(lifetime)
    if deadline is not None and deadline <= now:
        return f"its deadline {expires} has passed"
    if longest is not None and longest <= age:
        return f"it is older than its {LIFETIME_TAG}, {lifetime}"
    if deadline is not None or longest is not None or age < limits.longest_untold:
        return ""
    told = {EXPIRES_TAG: expires} | ({} if lifetime is None else {LIFETIME_TAG: lifetime})
    missing = " and ".join(_unreadable(tag, text) for tag, text in told.items())
    return f"{missing} and is older than {limits.longest_untold / timedelta(hours=1):g} h"


def _unreadable(tag: str, text: str | None) -> str:
    return f"has no {tag}" if text is None else f"has an unreadable {tag} ({text!r})"


def _instant(text: str | None) -> datetime | None:
    """A time without its offset is not guessed at."""
    try:
        instant = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None


def _seconds(text: str | None) -> timedelta | None:
    """A positive number, of at most some thirty years."""
    found = re.fullmatch(r"\d{1,9}(\.\d{1,9})?", text or "", re.ASCII)
    seconds = float(found[0]) if found else 0.0
    return timedelta(seconds=seconds) if seconds > 0 else None


def _batches(marked: Sequence[Doomed]) -> Iterator[Sequence[Doomed]]:
    for start in range(0, len(marked), _BATCH):
        yield marked[start : start + _BATCH]


def _still_up(each: Doomed, problems: Mapping[str, str]) -> Fate:
    return Fate(each, Outcome.STILL_UP, problems[each.instance.instance_id])
