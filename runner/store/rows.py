"""What the commands are told about an event's submissions, one value per printed line."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from contracts.work import Blame, Cause, Containment
from runner.kit import ScoreType


class RunEnd(StrEnum):
    """The stage a run shows before its first and after its last; those between are `runner.progress.Stage`."""

    CLAIMED = "claimed"
    SCORED = "scored"
    FAILED = "failed"
    REQUEUED = "requeued"
    SUPERSEDED = "superseded"  # given back to the queue, then its result came after all


@dataclass(frozen=True, slots=True)
class Pause:
    """Why nothing is taken from an event's queue."""

    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """One submission, with its latest run where it had one. Times are UTC; `steps` are seconds by stage.

    `queue_position` counts from 1 among those that wait, and is None for all others. `held` says why one that waits
    is passed over, until `held_until` where that is known. `reason` is why the run ended, in one sentence. `orphaned`
    is a run that goes on without a dispatcher and waits for one to adopt it. `image_id` is the machine image its host
    was launched from, empty where there is none or its job has not begun. `containment` is what the run's job was
    contained by, None where that is not known.
    """

    submission_id: int
    team: str
    submission: str
    state: str
    submitted_at: datetime
    queue_position: int | None = None
    attempt: int = 0
    stage: str = ""
    since: datetime | None = None
    host_id: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    blame: Blame | None = None
    cause: Cause | None = None
    reason: str = ""
    peak_memory_bytes: int | None = None
    cpu_time_s: float | None = None
    containment: Containment | None = None
    steps: dict[str, float] = field(default_factory=dict)
    generation: int = 0
    held: str = ""
    held_until: datetime | None = None
    cancel_asked_at: datetime | None = None
    orphaned: bool = False
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class EventReport:
    """An event's submissions, oldest first, with what tells how long its queue will take.

    `run_s` is the mean time of its last runs, from claim to result, and None when none has ended.
    """

    event: str
    rows: tuple[SubmissionRow, ...]
    pause: Pause | None = None
    run_s: float | None = None


@dataclass(frozen=True, slots=True)
class EventCounts:
    """How much of what an event has: `held` are those of the waiting ones that are passed over.

    `hosts` counts the hosts of runs that go on, `orphaned` the runs whose dispatcher went away.
    """

    waiting: int
    held: int
    runs_by_stage: dict[str, int]
    hosts: int
    orphaned: int
    is_paused: bool


@dataclass(frozen=True, slots=True)
class Window:
    """When an event takes submissions; an end that is None is open."""

    opens_at: datetime | None
    closes_at: datetime | None

    def is_open(self, at: datetime) -> bool:
        """Whether the moment lies in it."""
        return (self.opens_at is None or self.opens_at <= at) and (self.closes_at is None or at < self.closes_at)


@dataclass(frozen=True, slots=True)
class LeaderboardRow:
    """One scored submission: bagged scores by score type's name, mean times per fold in seconds.

    `test` is empty for a kit without test labels. `image_id` is the machine image the scores came from, empty where
    there was none.
    """

    submission_id: int
    team: str
    submission: str
    valid: dict[str, float]
    test: dict[str, float]
    train_time_s: float | None
    valid_time_s: float | None
    test_time_s: float | None
    submitted_at: datetime
    image_id: str = ""


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The scored submissions of an event, best first by the official score type, which stands first too."""

    event: str
    score_types: tuple[ScoreType, ...]
    rows: tuple[LeaderboardRow, ...]


@dataclass(frozen=True, slots=True)
class FailureRow:
    """One submission that ended without scores; `error` is what its team is shown."""

    submission_id: int
    team: str
    submission: str
    state: str
    blame: Blame | None
    cause: Cause | None
    reason: str
    error: str
    exit_code: int | None
    ended_at: datetime | None
