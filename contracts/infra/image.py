"""`infra.image`: how the event's machine image is made, how often, and how many are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from contracts.event_values import (
    Count,
    GitAddress,
    GitRef,
    ImagePath,
    InstanceType,
    ParentImage,
    SubmissionName,
    one_of,
)
from contracts.infra.network import UBUNTU
from contracts.infra.values import ParameterName, RetentionDays, Schedule
from contracts.section import Section


class GitKit(Section):
    """`infra.image.kit` as a git repository, at one commit, tag or branch."""

    git: GitAddress = Field(
        description="cloned on the image, over `https` without a password or token in the address, or from a `file://` "
        "of the machine that builds",
        examples=["https://github.com/ramp-kits/iris"],
    )
    ref: GitRef = Field(default="HEAD", description="commit, tag or branch", examples=["v1.2"])


class FolderKit(Section):
    """`infra.image.kit` as a folder of this machine, copied into the image."""

    folder: Path = Field(description="copied into the image; default `ramp.kit_dir`", examples=["kits/iris"])


def _kind_of_kit(value: Any) -> str:
    """Tell a git kit from a folder kit, so that a fault is reported for the one that was meant."""
    is_git = "git" in value or "ref" in value if isinstance(value, dict) else isinstance(value, GitKit)
    return "git" if is_git else "folder"


class Image(Section):
    """`infra.image`: how the event's machine image is made."""

    parent_image: ParentImage = Field(
        default=UBUNTU,
        description="what the image is made from: an AMI's id, `ssm:` and a parameter's name or ARN, or an Image "
        "Builder ARN",
        examples=["ami-0abc1234def567890"],
    )
    environment: Annotated[
        Literal["venv", "conda", "existing"], BeforeValidator(one_of("venv", "conda", "existing"))
    ] = Field(
        default="venv",
        description="`venv` (from the kit's `requirements.txt`), `conda` (from its `environment.yml`), or `existing` "
        "(already there, only checked)",
        examples=["conda"],
    )
    prefix: ImagePath = Field(
        default="/opt/rampart/env",
        description="the environment's folder on the image, absolute",
        examples=["/opt/conda/envs/iris"],
    )
    kit: Annotated[Annotated[GitKit, Tag("git")] | Annotated[FolderKit, Tag("folder")], Discriminator(_kind_of_kit)] = (
        Field(description="where the kit comes from, see below; default the folder `ramp.kit_dir`")
    )
    quick_test_submission: SubmissionName = Field(
        default="starting_kit",
        description="the kit's submission that must run before an image is used",
        examples=["starting_kit"],
    )
    instance_type: InstanceType = Field(
        default="t3.medium", description="type of the instance that builds", examples=["c7i.xlarge"]
    )
    volume_gib: Count = Field(
        default=20, ge=8, le=16384, description="disk of the image, in GiB, 8 to 16384", examples=["100"]
    )
    schedule: Schedule | None = Field(
        default=None,
        description="when a new image is built by itself, if its parent or a component is new by then: a `cron(...)` "
        "of six fields in UTC, or a `rate(...)`; without it one is built when asked",
        examples=["cron(0 3 ? * MON *)"],
    )
    keep: Count = Field(
        default=3,
        ge=1,
        le=1000,
        description="how many images are kept, the newest; an older one that was launched within two weeks, or has the "
        "tag `rampart:keep`, stays",
        examples=["5"],
    )
    log_retention_days: RetentionDays = Field(
        default=30, description="how long the logs of builds are kept, in days", examples=["90"]
    )
    ssm_parameter: ParameterName | None = Field(
        default=None,
        description="the parameter that holds the newest tested image's id; default "
        "`/imagebuilder/rampart/<event_name>/image`; Image Builder may write below `/imagebuilder/` alone",
        examples=["/imagebuilder/challenges/iris"],
    )
