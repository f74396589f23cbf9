"""An event's configuration as one frozen value, every path absolute and every default filled in."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, Field, SecretStr

from contracts.event_values import (
    CommandLine,
    Count,
    ImageId,
    ImageName,
    InstanceType,
    LoginUser,
    Name,
    Number,
    Region,
    RemoteKitFolder,
    SchedulerAddress,
    SubmissionName,
    Text,
    WorkerType,
    one_of,
)
from contracts.infra import Infra
from contracts.section import Section
from contracts.work import Isolation


class HungerPolicy(StrEnum):
    """What the dispatcher does when no submission waits (RAMP's key `hunger_policy`)."""

    NONE = "none"
    SLEEP = "sleep"
    EXIT = "exit"


class Scoring(StrEnum):
    """Where predictions are compared with the labels."""

    SERVER = "server"
    HOST = "host"


class Canary(StrEnum):
    """Whether a public event's loop waits for a canary that was stopped at everything it tried."""

    REQUIRED = "required"
    WAIVED = "waived"


class ClusterKind(StrEnum):
    """A Dask cluster that lives as long as the loop that it serves."""

    LOCAL = "local"  # processes on this machine
    EC2 = "ec2"  # machines that dask-cloudprovider starts


class Ramp(Section):
    """Section `ramp`: what the event is called and where its files are."""

    problem_name: Name
    event_name: Name
    event_title: str = ""
    event_is_public: bool = False
    kit_dir: Path
    data_dir: Path
    submissions_dir: Path
    predictions_dir: Path
    logs_dir: Path
    sandbox_dir: SubmissionName = "starting_kit"
    """Name of the submission each team gets at sign-up, which is never run; a folder of the kit's `submissions/`."""


class Hooks(Section):
    """Commands run on this machine after the fact; their failure is logged and never fatal.

    RAMP spells the first one `after_sucessful_training`; both spellings are read.
    """

    after_successful_training: CommandLine | None = None
    start_training: CommandLine | None = None
    successful_training: CommandLine | None = None
    failed_training: CommandLine | None = None
    update_leaderboards: CommandLine | None = None
    """Once for all the results that came while it ran before."""


class Worker(Section):
    """Section `worker`: what runs a submission. Keys are RAMP's; those of a unit or limit of ours say so."""

    worker_type: WorkerType
    timeout: Number = Field(default=7200, gt=0)
    memory_limit_mib: Count | None = Field(default=None, ge=64)
    memory_profiling: bool = False
    hooks: Hooks = Hooks()

    # what a submission may do and take
    isolation: Annotated[Isolation, BeforeValidator(one_of(*Isolation))] = Isolation.AVAILABLE
    tasks_limit: Count = Field(default=1024, ge=16)
    cpu_limit: Number | None = Field(default=None, gt=0)
    file_size_limit_mib: Count = Field(default=8192, ge=1)
    disk_limit_mib: Count = Field(default=20480, ge=16)
    scoring: Annotated[Scoring, BeforeValidator(one_of(*Scoring))] | None = None
    """None: on the server where the kit allows it, else on the host, with a warning."""
    canary: Annotated[Canary, BeforeValidator(one_of(*Canary))] = Canary.REQUIRED
    withhold_logs: bool = False
    shown_log_kib: Count = Field(default=64, ge=1, le=1024)

    # conda: an environment on this machine
    env: Annotated[Literal["conda", "venv"], BeforeValidator(one_of("conda", "venv"))] = "conda"
    conda_env: Text = "base"
    venv_dir: Path | None = None

    # aws
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    profile_name: Text | None = None
    region_name: Region | None = None
    ami_image_id: ImageId | None = None
    ami_image_name: ImageName | None = None
    ami_user_name: LoginUser = "ubuntu"
    instance_type: InstanceType = "t3.medium"
    use_spot_instance: bool = False
    key_name: Text | None = None
    key_path: Path | None = None
    security_group: Text | None = None
    remote_ramp_kit_folder: RemoteKitFolder | None = None
    boot_timeout_s: Number = Field(default=600, gt=0)
    check_status_interval_secs: Number | None = Field(default=None, gt=0)
    check_finished_training_interval_secs: Number | None = Field(default=None, gt=0)
    train_loop_interval_secs: Number | None = Field(default=None, gt=0)

    # dask
    dask_scheduler: SchedulerAddress | None = None
    dask_tls_dir: Path | None = None
    cluster: Annotated[ClusterKind | None, BeforeValidator(one_of(*ClusterKind))] = None
    n_workers: Count | None = Field(default=None, ge=1)
    folds_at_a_time: Count = Field(default=1, ge=1, le=100)


class OwnWorker(Worker):
    """Section `worker` of an organiser's own worker type, whose further keys are the worker's own."""

    model_config = ConfigDict(extra="allow")


class Dispatcher(Section):
    """Section `dispatcher`: how many runs at a time, and what to do between them. Keys are RAMP's."""

    hunger_policy: Annotated[HungerPolicy, BeforeValidator(one_of(*HungerPolicy))] = HungerPolicy.NONE
    n_workers: Count = Field(default=1, ge=1)
    n_threads: Count | None = Field(default=None, ge=1)
    time_between_collection: Number = Field(default=1, gt=0)


class EventConfig(Section):
    """One event, checked and complete.

    `path` is the event file, `deployment` the folder its paths start from, `state_root` where Rampart keeps what
    belongs to events on this machine: `<deployment>/.rampart`, or RAMPART_STATE_DIR where that is set; in the latter
    case the submissions, predictions and logs of an event that names no folders for them lie there too.
    """

    path: Path
    deployment: Path
    state_root: Path
    ramp: Ramp
    worker: Worker
    dispatcher: Dispatcher = Dispatcher()
    infra: Infra
    database_url: SecretStr
    warnings: tuple[str, ...] = ()
    """What was accepted though a better way exists; shown at every start."""

    @property
    def name(self) -> str:
        """The event's name, which is its stack's name too."""
        return self.ramp.event_name

    @property
    def region(self) -> str:
        """The one AWS region of the event."""
        return self.worker.region_name or self.infra.region

    @property
    def is_on_ec2(self) -> bool:
        """Whether submissions run on instances of the event's stack."""
        worker = self.worker
        if worker.worker_type == "dask":
            return worker.dask_scheduler is None and worker.cluster is not ClusterKind.LOCAL
        return worker.worker_type == "aws"

    @property
    def hosts_end_with_loop(self) -> bool:
        """Whether no run can go on on its host when the loop has ended."""
        return self.worker.worker_type == "dask" and self.worker.cluster is ClusterKind.EC2

    @property
    def n_workers(self) -> int:
        """How many submissions run at a time; a Dask worker's own key, as RAMP has it, wins."""
        if self.worker.worker_type == "dask" and self.worker.n_workers is not None:
            return self.worker.n_workers
        return self.dispatcher.n_workers

    @property
    def state_dir(self) -> Path:
        """Where Rampart keeps what belongs to this event on this machine."""
        return self.state_root / self.name

    @property
    def key_path(self) -> Path:
        """The private key that opens the event's hosts: the organiser's own, else the one `up` makes."""
        return self.worker.key_path or self.state_dir / "id_ed25519"

    @property
    def image_name(self) -> str:
        """Base name of the event's AMIs."""
        return self.worker.ami_image_name or f"{self.ramp.problem_name}-backend"

    @property
    def image_parameter(self) -> str:
        """Name of the Systems Manager parameter that holds the id of the newest tested AMI."""
        return self.infra.image.ssm_parameter or f"/imagebuilder/rampart/{self.name}/image"

    @property
    def host_types(self) -> tuple[str, ...]:
        """The instance types a host may be of, the preferred one first."""
        return tuple(dict.fromkeys((self.worker.instance_type, *self.infra.instance_types)))
