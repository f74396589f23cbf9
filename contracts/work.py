"""A run and the value each stage of it hands to the next: small, frozen, serialisable."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path


class Blame(StrEnum):
    """Whose fault a failed run is."""

    PARTICIPANT = "participant"
    ORGANISER = "organiser"
    PLATFORM = "platform"


class Cause(StrEnum):
    """Why a run ended without a score."""

    RAISED = "raised"  # the submission's code raised or exited with another code than 0
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out-of-memory"
    KILLED = "killed"  # a signal nobody of ours sent
    TOO_MANY_TASKS = "too-many-tasks"
    FILE_TOO_LARGE = "file-too-large"
    DISK_FULL = "disk-full"  # of what the submission itself may write
    BAD_OUTPUT = "bad-output"  # ended well but left no scores, or scores nobody can read
    KIT_BROKEN = "kit-broken"
    ENVIRONMENT_BROKEN = "environment-broken"
    HOST_LOST = "host-lost"
    HOST_KEY_REFUSED = "host-key-refused"  # what answered at the host's address was not the host
    SPOT_RECLAIMED = "spot-reclaimed"
    BOOT_TIMEOUT = "boot-timeout"
    LAUNCH_REFUSED = "launch-refused"
    TRANSFER_REFUSED = "transfer-refused"
    NOT_CONTAINED = "not-contained"  # the host cannot contain a submission as the event demands
    CANCELLED = "cancelled"
    INTERNAL = "internal"  # an error of Rampart itself


class Isolation(StrEnum):
    """How much containment an event demands of its hosts."""

    STRICT = "strict"  # another user, no network, a read-only system; a host that cannot give it runs nothing
    AVAILABLE = "available"  # the strongest a host can give


class Containment(StrEnum):
    """What a job is contained by on its host, strongest first."""

    SYSTEMD = "systemd"  # a transient unit of another user's, with a control group, filtered system calls
    NAMESPACES = "namespaces"  # another user in namespaces of its own
    USER_NAMESPACE = "user-namespace"  # namespaces of its own, but the login user's rights outside of them
    PROCESS_GROUP = "process-group"  # limits alone

    @property
    def is_strict(self) -> bool:
        """Whether a job is another user's, without network, on a read-only system."""
        return self in (Containment.SYSTEMD, Containment.NAMESPACES)


@dataclass(frozen=True, slots=True)
class JobLimits:
    """What a job may take besides memory and time; `cpus` None means all of its host's.

    `tasks` are processes with threads. `file_bytes` bounds one file, `disk_bytes` all a job writes.
    """

    tasks: int = 1024
    cpus: float | None = None
    file_bytes: int = 8 * 2**30
    disk_bytes: int = 20 * 2**30


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt at one submission: what to run, where its files are on this machine, and its limits.

    `submission_dir` is the team's code; log and predictions go to `logs_dir/submission_key` and
    `predictions_dir/submission_key`. `memory_limit_bytes` None means the host's own memory is the limit.
    `attempt` counts a submission's runs over all its generations. `folds` (0: not known) and `score_types`
    (empty: not known) are what its output must hold to be recorded. `lease_token` fences every write about the run:
    who adopts it gets another one. `on_demand`: this attempt must not be given a spot instance. `salvage_dir` keeps the
    finished folds of attempts that lost their host (None: it keeps none); `salvaged` are those not to be run again.
    `withholds_log`: what the job prints is kept from the team. `shown_log_bytes` caps what the team is shown of it;
    what that leaves out is kept in `whole_log_dir` (None: it is not kept). `share` are the folds this job trains while
    others train the rest of the run's (empty: it is the run's only job, or its last); `spent_s` of `timeout_s` were
    used up by those.
    """

    submission_id: int
    event: str
    team: str
    submission: str
    attempt: int
    submission_dir: Path
    logs_dir: Path
    predictions_dir: Path
    timeout_s: float
    n_threads: int | None = None
    memory_limit_bytes: int | None = None
    generation: int = 1
    folds: int = 0
    score_types: tuple[str, ...] = ()
    lease_token: str = ""
    on_demand: bool = False
    salvage_dir: Path | None = None
    salvaged: tuple[int, ...] = ()
    limits: JobLimits = JobLimits()
    isolation: Isolation = Isolation.AVAILABLE
    withholds_log: bool = False
    shown_log_bytes: int = 64 * 1024
    whole_log_dir: Path | None = None
    share: tuple[int, ...] = ()
    spent_s: float = 0.0

    @property
    def submission_key(self) -> str:
        """RAMP's folder name of a submission, e.g. `submission_000000007`."""
        return f"submission_{self.submission_id:09d}"


@dataclass(frozen=True, slots=True)
class HostAddress:
    """Where a host answers and how it proves who it is.

    `host_id` is the instance id, or `this-machine`. `host_key` is one `ssh-ed25519 AAAA...` line without a comment.
    `via` is the jump host it is reached over; `proxy_command` the program, with its arguments, whose input and output
    are the line to it instead. With neither it is dialled.
    """

    host_id: str
    address: str
    user: str
    port: int = 22
    host_key: str = ""
    key_path: Path | None = None
    via: HostAddress | None = None
    proxy_command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostLayout:
    """Where the challenge lies on a host, as absolute paths there; `python` is that of the kit's environment.

    `is_ours`: the machine is there for submissions alone, so a user may be made on it. `hidden` are folders that no
    job may look into.
    """

    kit_dir: str
    data_dir: str
    python: str
    ramp_test: str
    is_ours: bool = True
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Claimed:
    """A submission taken from the queue, before it has a host."""

    work: Work
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Provisioned:
    """A claimed run with a host that answers. `is_standing`: the host was up before, and is not ours to end."""

    claimed: Claimed
    host: HostAddress
    layout: HostLayout
    image_id: str = ""
    is_standing: bool = False


@dataclass(frozen=True, slots=True)
class Pushed:
    """A run whose submission lies on its host. `job_dir` is an absolute path there, new for each attempt.

    `labels` names what a blind job's predictions are compared with; empty where the job has the labels itself.
    """

    provisioned: Provisioned
    job_dir: str
    labels: str = ""

    @property
    def is_blind(self) -> bool:
        """Whether the job gets no test label and leaves predictions alone, which are scored on this machine."""
        return bool(self.labels)


@dataclass(frozen=True, slots=True)
class Launched:
    """A run whose job has been started on its host, detached from our connection."""

    pushed: Pushed
    launched_at: datetime


class JobEnd(StrEnum):
    """How the job on the host came to its end, as its supervisor saw it."""

    EXITED = "exited"
    SIGNALLED = "signalled"
    TIMEOUT = "timeout"
    OUT_OF_MEMORY = "out-of-memory"
    TOO_MANY_TASKS = "too-many-tasks"
    FILE_TOO_LARGE = "file-too-large"
    DISK_FULL = "disk-full"
    NOT_CONTAINED = "not-contained"  # the host could not do as the event demands: nothing of the submission ran


@dataclass(frozen=True, slots=True)
class JobExit:
    """What the supervisor wrote when the job ended. `code` is the exit code, or minus the signal's number.

    `containment` is what the job ran in, None where the supervisor does not say.
    """

    end: JobEnd
    code: int
    wall_time_s: float
    cpu_time_s: float
    peak_memory_bytes: int
    output_bytes: int
    output_dropped_bytes: int = 0
    containment: Containment | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A run whose job has ended."""

    launched: Launched
    exit: JobExit


@dataclass(frozen=True, slots=True)
class Pulled:
    """A run whose output lies on this machine: `log_path` is a file, `output_dir` is `training_output` or missing."""

    finished: Finished
    log_path: Path
    output_dir: Path | None


@dataclass(frozen=True, slots=True)
class Spread:
    """A run whose folds are trained by several jobs side by side: `own` are those its own host trains.

    `helpers` are further hosts with a `share` of the folds each. A job that has ended is in neither. `labels` as in
    `Pushed`.
    """

    provisioned: Provisioned
    own: tuple[int, ...]
    helpers: tuple[Provisioned, ...]
    launched_at: datetime
    labels: str = ""


StageValue = Claimed | Provisioned | Spread | Pushed | Launched | Finished | Pulled
"""What a run can be taken up from."""


def provisioned_of(value: StageValue) -> Provisioned | None:
    """The value's run with its host; None where it has none yet."""
    match value:
        case Claimed():
            return None
        case Provisioned():
            return value
        case Spread() | Pushed():
            return value.provisioned
        case Launched():
            return value.pushed.provisioned
        case Finished():
            return value.launched.pushed.provisioned
        case Pulled():
            return value.finished.launched.pushed.provisioned


def claimed_of(value: StageValue) -> Claimed:
    """The run the value belongs to."""
    if isinstance(value, Claimed):
        return value
    provisioned = provisioned_of(value)
    assert provisioned is not None  # noqa: S101 - only a claimed run is without
    return provisioned.claimed


@dataclass(frozen=True, slots=True)
class Adopted:
    """A run whose dispatcher went away, with the last value it left.

    `has_ended`: its result stands, only its host has not been given back.
    """

    value: StageValue
    has_ended: bool = False


@dataclass(frozen=True, slots=True)
class FoldScores:
    """One fold: times in seconds, and scores by step (`train`, `valid`, `test`) and score type's name."""

    fold: int
    train_time_s: float
    valid_time_s: float
    test_time_s: float
    scores: dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class BaggedScores:
    """The scores of the combined predictions after 1, 2, ... folds, by step (`valid`, `test`) and score type's name."""

    scores: dict[str, dict[str, list[float]]]


@dataclass(frozen=True, slots=True)
class Scored:
    """A run that ended with scores."""

    pulled: Pulled
    folds: tuple[FoldScores, ...]
    bagged: BaggedScores


@dataclass(frozen=True, slots=True)
class Failed:
    """A run that ended without scores: blame, cause, one sentence, and what the log says from the traceback on."""

    work: Work
    blame: Blame
    cause: Cause
    message: str
    traceback: str = ""
    exit: JobExit | None = None
