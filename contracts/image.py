"""A machine image, as it is chosen for an event or as it is being built."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class ImageReference:
    """One AMI, resolved to its id. `tested` says that its test phase passed on a fresh instance."""

    image_id: str
    name: str
    created_at: datetime
    tested: bool


@dataclass(frozen=True, slots=True)
class MachineImage:
    """One AMI of the account's own, as EC2 describes it. `state` is EC2's word (`available`, `pending`, ...)."""

    image_id: str
    name: str
    created_at: datetime
    state: str
    tags: dict[str, str] = field(default_factory=dict)
    deprecated_at: datetime | None = None
    snapshot_ids: tuple[str, ...] = ()


class BuildState(StrEnum):
    """Where an image build stands, in Image Builder's words."""

    PENDING = "PENDING"
    CREATING = "CREATING"
    BUILDING = "BUILDING"
    TESTING = "TESTING"
    DISTRIBUTING = "DISTRIBUTING"
    INTEGRATING = "INTEGRATING"
    AVAILABLE = "AVAILABLE"
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    DEPRECATED = "DEPRECATED"
    DELETED = "DELETED"
    DISABLED = "DISABLED"

    @property
    def is_over(self) -> bool:
        """Whether the build has come to its end, with or without an image."""
        return self not in _UNDER_WAY


_UNDER_WAY = frozenset(
    {
        BuildState.PENDING,
        BuildState.CREATING,
        BuildState.BUILDING,
        BuildState.TESTING,
        BuildState.DISTRIBUTING,
        BuildState.INTEGRATING,
    }
)


@dataclass(frozen=True, slots=True)
class ImageBuild:
    """One execution of an image pipeline. `image_id` is that of the AMI in the client's own region, once there is one.

    `log_group` and `log_stream` say where CloudWatch keeps its log.
    """

    build_arn: str
    state: BuildState
    started_at: datetime
    reason: str = ""
    image_id: str = ""
    image_name: str = ""
    has_tests: bool = True
    log_group: str = ""
    log_stream: str = ""


@dataclass(frozen=True, slots=True)
class BuildStep:
    """The step of a build's workflow that runs, or that failed."""

    name: str
    failed: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines of a build's log, with the token that asks for those after them."""

    lines: tuple[str, ...]
    token: str | None
