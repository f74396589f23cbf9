"""What the dispatcher tells those who watch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from contracts.work import Failed, Scored, Work


class Stage(StrEnum):
    """The stages of a run, in the order of their happening."""

    PROVISION = "provision"
    PUSH = "push"
    LAUNCH = "launch"
    WAIT = "wait"
    PULL = "pull"
    SCORE = "score"
    RECORD = "record"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A run entered a stage. `host_id` is empty until it has a host."""

    work: Work
    stage: Stage
    host_id: str = ""


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run is over; `outcome` None means that the submission goes back to the queue, and `reason` says why.

    Steps are in seconds.
    """

    work: Work
    outcome: Scored | Failed | None
    steps: dict[Stage, float]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LeasesRenewed:
    """The leases of an event's runs were renewed, or could not be."""

    event: str
    succeeded: bool


@dataclass(frozen=True, slots=True)
class CloudAsked:
    """The cloud was asked for an event; `error_code` is empty where it did what it was asked."""

    event: str
    action: str
    error_code: str


@dataclass(frozen=True, slots=True)
class SecurityEvent:
    """Something happened that only an attack explains, or a fault that looks like one; `kind` is a word for it."""

    event: str
    kind: str
    host_id: str


Progress = StageStarted | RunEnded | LeasesRenewed | CloudAsked | SecurityEvent
Observer = Callable[[Progress], None]
