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
    Text,
    one_of,
)
from contracts.infra.network import UBUNTU
from contracts.infra.values import (
    AccountId,
    DriverBranch,
    FolderAddress,
    KeyArn,
    ObjectAddress,
    PackageName,
    ParameterName,
    RetentionDays,
    Schedule,
    SecretName,
    Sha256,
    VariableName,
)
from contracts.section import Section


class GitKit(Section):
    """`infra.image.kit` as a git repository, at one commit, tag or branch."""

    git: GitAddress = Field(
        description="cloned on the image, over `https` without a password or token in the address, or from a `file://` "
        "of the machine that builds",
        examples=["https://github.com/ramp-kits/iris"],
    )
    ref: GitRef = Field(default="HEAD", description="commit, tag or branch", examples=["v1.2"])


class S3Kit(Section):
    """`infra.image.kit` as an archive in a bucket, read by the instance that builds."""

    s3: ObjectAddress = Field(
        description="a `.tar.gz` with `problem.py` at its root, which the build profile is let read",
        examples=["s3://challenges/iris-kit.tar.gz"],
    )
    sha256: Sha256 = Field(
        description="the archive's checksum: another content fails the build",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    )


class FolderKit(Section):
    """`infra.image.kit` as a folder of this machine, copied into the image."""

    folder: Path = Field(description="copied into the image; default `ramp.kit_dir`", examples=["kits/iris"])


class PrivateData(Section):
    """`infra.image.private_data`: data that is nobody's but the challenge's, put on the image while it is built."""

    s3: FolderAddress | None = Field(
        default=None,
        description="a folder in a bucket, copied into the kit's `data`; the build profile is let read it",
        examples=["s3://challenges/iris/private/"],
    )
    osf_secret: SecretName | None = Field(
        default=None,
        description="name in `infra.secrets` of a JSON object with `username` and `password`, which the kit's "
        "`download_data.py --private` is given",
        examples=["osf"],
    )


class OwnComponent(Section):
    """One entry of `infra.image.components`: an organiser's own AWSTOE document."""

    document: Path = Field(
        description="the document's file, by its path from the deployment's folder", examples=["install-cmake.yml"]
    )
    parameters: dict[VariableName, Text] = Field(
        default={}, description="values for the document's parameters", examples=["{CmakeVersion: 3.31.2}"]
    )


def _kind_of_kit(value: Any) -> str:
    """Tell the kinds of kit apart, so that a fault is reported for the one that was meant."""
    if isinstance(value, dict):
        if "git" in value or "ref" in value:
            return "git"
        return "s3" if "s3" in value or "sha256" in value else "folder"
    return "git" if isinstance(value, GitKit) else "s3" if isinstance(value, S3Kit) else "folder"


def _component(value: Any) -> Any:
    """A path alone is a document without parameters."""
    return {"document": value} if isinstance(value, str) else value


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
    kit: Annotated[
        Annotated[GitKit, Tag("git")] | Annotated[S3Kit, Tag("s3")] | Annotated[FolderKit, Tag("folder")],
        Discriminator(_kind_of_kit),
    ] = Field(description="where the kit comes from, see below; default the folder `ramp.kit_dir`")
    packages: tuple[PackageName, ...] = Field(
        default=(), description="further Debian packages", max_length=100, examples=["[graphviz, libgomp1]"]
    )
    updates: bool = Field(
        default=True, description="whether the system's own packages are updated first", examples=["false"]
    )
    gpu: bool | None = Field(
        default=None,
        description="whether NVIDIA's driver is installed; by default where `worker.instance_type` has such a GPU",
        examples=["true"],
    )
    gpu_driver: DriverBranch = Field(
        default="570-server", description="the driver's branch, as Ubuntu names its packages", examples=["550-server"]
    )
    dask: bool | None = Field(
        default=None, description="whether Dask is installed; by default where the event uses it", examples=["true"]
    )
    private_data: PrivateData = Field(default=PrivateData(), description="data from elsewhere, see below")
    components: tuple[Annotated[OwnComponent, BeforeValidator(_component)], ...] = Field(
        default=(),
        description="component documents of one's own, run after ours; a path, or see below",
        max_length=8,
        examples=["[install-cmake.yml]"],
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
    build_timeout_s: Count = Field(
        default=14400, ge=60, le=86400, description="how long a build may take, in seconds", examples=["7200"]
    )
    test_timeout_s: Count = Field(
        default=3600, ge=60, le=86400, description="how long its test phase may take, in seconds", examples=["1200"]
    )
    require_verified: bool = Field(
        default=False,
        description="whether an image the file names (`ami_image_name`, `ami_image_id`) must be verified too; one that "
        "Rampart builds always must",
        examples=["true"],
    )
    share_with: tuple[AccountId, ...] = Field(
        default=(),
        description="accounts that may launch the image, by their ids; needs `kms_key`; nobody else ever may",
        max_length=20,
        examples=['["111122223333"]'],
    )
    kms_key: KeyArn | None = Field(
        default=None,
        description="the key that encrypts the image, where it is not the account's default one",
        examples=["arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"],
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
