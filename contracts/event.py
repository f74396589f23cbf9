"""An event's configuration as one frozen value, every path absolute and every default filled in."""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr


class Section(BaseModel):
    """A section of the event file: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class HungerPolicy(StrEnum):
    """What the dispatcher does when no submission waits (RAMP's key `hunger_policy`)."""

    NONE = "none"
    SLEEP = "sleep"
    EXIT = "exit"


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", max_length=64)]
Cidr = IPv4Network


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
    sandbox_dir: str = "starting_kit"


class Hooks(Section):
    """Commands run on this machine after the fact; their failure is logged and never fatal."""

    after_successful_training: str | None = Field(default=None, alias="after_sucessful_training")
    start_training: str | None = None
    successful_training: str | None = None
    failed_training: str | None = None


class Worker(Section):
    """Section `worker`: what runs a submission. Keys are RAMP's; those of a unit or limit of ours say so."""

    worker_type: str
    timeout: float = Field(default=7200, gt=0)
    memory_limit_mib: int | None = Field(default=None, ge=64)
    memory_profiling: bool = False
    hooks: Hooks = Hooks()

    # conda: an environment on this machine
    env: Literal["conda", "venv"] = "conda"
    conda_env: str = "base"
    venv_dir: Path | None = None

    # aws
    access_key_id: SecretStr | None = None
    secret_access_key: SecretStr | None = None
    profile_name: str | None = None
    region_name: str | None = None
    ami_image_id: str | None = None
    ami_image_name: str | None = None
    ami_user_name: str = "ubuntu"
    instance_type: str = "t3.medium"
    use_spot_instance: bool = False
    key_name: str | None = None
    key_path: Path | None = None
    security_group: str | None = None
    remote_ramp_kit_folder: str | None = None
    boot_timeout_s: float = Field(default=600, gt=0)
    check_status_interval_secs: float | None = Field(default=None, gt=0)
    check_finished_training_interval_secs: float | None = Field(default=None, gt=0)
    train_loop_interval_secs: float | None = Field(default=None, gt=0)

    # dask
    dask_scheduler: str | None = None
    n_workers: int | None = Field(default=None, ge=1)


class Dispatcher(Section):
    """Section `dispatcher`: how many runs at a time, and what to do between them. Keys are RAMP's."""

    hunger_policy: HungerPolicy = HungerPolicy.NONE
    n_workers: int = Field(default=1, ge=1)
    n_threads: int | None = Field(default=None, ge=1)
    time_between_collection: float = Field(default=1, gt=0)


class Network(Section):
    """`infra.network`: a VPC of the event's own, or the account's default one."""

    vpc: Literal["own", "default"] = "own"
    cidr: Cidr = IPv4Network("10.20.0.0/16")
    availability_zones: int = Field(default=2, ge=1, le=6)


class GitKit(Section):
    """`infra.image.kit` as a git repository, at one commit, tag or branch."""

    git: str
    ref: str = "HEAD"


class FolderKit(Section):
    """`infra.image.kit` as a folder of this machine, copied into the image."""

    folder: Path


class Image(Section):
    """`infra.image`: how the event's machine image is made."""

    parent_image: str = "ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
    environment: Literal["venv", "conda", "existing"] = "venv"
    prefix: str = "/opt/rampart/env"
    """The environment's folder on the image."""
    kit: GitKit | FolderKit
    """Default: the folder `ramp.kit_dir`."""
    quick_test_submission: str = "starting_kit"
    instance_type: str = "t3.medium"
    volume_gib: int = Field(default=20, ge=8, le=16384)


class Infra(Section):
    """Section `infra` (ours, optional): what `pulumi up` declares for the event."""

    region: str = "eu-west-3"
    """`worker.region_name` wins; this is for events whose worker has none."""
    allowed_cidrs: tuple[Cidr, ...] = ()
    """Who may reach port 22 of the hosts; never the whole world."""
    network: Network = Network()
    volume_gib: int = Field(default=20, ge=8, le=16384)
    image: Image


class EventConfig(Section):
    """One event, checked and complete. `path` is the event file, `deployment` the folder its paths start from."""

    path: Path
    deployment: Path
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
    def state_dir(self) -> Path:
        """Where Rampart keeps what belongs to this event on this machine."""
        return self.deployment / ".rampart" / self.name

    @property
    def image_name(self) -> str:
        """Base name of the event's AMIs."""
        return self.worker.ami_image_name or f"{self.ramp.problem_name}-backend"
