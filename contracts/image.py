"""A machine image, as it is chosen for an event or as it is being built."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

EVENT_TAG = "rampart:event"
STATUS_TAG = "rampart:status"
RECIPE_TAG = "rampart:recipe"
KEEP_TAG = "rampart:keep"
BAKE_TAG = "rampart:bake"
"""Carries the token of the bake over SSH that makes an image: whatever is left of a broken one is found by it."""
PINNED_TAG = "rampart:pinned-by"
"""Names the event for whose sake an image has the tag that keeps it."""

SUBMISSION_USER = "submission"
"""The unprivileged user of our images that submissions run as."""
PREFIX = "/opt/rampart"
"""Where our images keep kit and environment."""
PROVENANCE_FILE = "provenance.json"
"""Below the prefix: what the image was made from, as `Provenance` reads it."""


class ImageStatus(StrEnum):
    """How far an AMI has proved itself; the value of its tag `rampart:status`."""

    UNTESTED = "untested"
    """Nobody of ours has said anything about it: no such tag."""
    TESTED = "tested"
    """Its documents' test phase passed on a fresh instance."""
    VERIFIED = "verified"
    """A host of the event's own kind was launched from it, looked at, and found fit to run submissions."""
    REJECTED = "rejected"
    """Such a host was found unfit."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What an image was made from. `components` are versions by name; `kit` is a commit or a digest.

    `data` is the SHA-256 of the challenge's data, `parent_image` an AMI's id. What is not known is empty.
    """

    recipe: str = ""
    components: dict[str, str] = field(default_factory=dict)
    kit: str = ""
    data: str = ""
    parent_image: str = ""

    @classmethod
    def read(cls, text: str) -> Provenance:
        """Read what `text` writes. Raises ValueError."""
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError("not an object")
        words = {name: found.get(name, "") for name in ("recipe", "kit", "data", "parent_image")}
        components = found.get("components", {})
        if not isinstance(components, dict) or not all(
            isinstance(word, str) for word in (*words.values(), *components, *components.values())
        ):
            raise ValueError("not all of it is text")
        return cls(**words, components=components)

    def text(self) -> str:
        """Give the provenance as JSON, the same for the same value."""
        words = {"recipe": self.recipe, "kit": self.kit, "data": self.data, "parent_image": self.parent_image}
        return json.dumps({**words, "components": self.components}, sort_keys=True)


@dataclass(frozen=True, slots=True)
class ImageReference:
    """One AMI, resolved to its id."""

    image_id: str
    name: str
    created_at: datetime
    status: ImageStatus = ImageStatus.UNTESTED


@dataclass(frozen=True, slots=True)
class MachineImage:
    """One AMI of the account's own, as EC2 describes it. `state` is EC2's word (`available`, `pending`, ...).

    `is_public` says that anybody may launch it, `is_encrypted` that all of its snapshots are.
    """

    image_id: str
    name: str
    created_at: datetime
    state: str
    tags: dict[str, str] = field(default_factory=dict)
    deprecated_at: datetime | None = None
    snapshot_ids: tuple[str, ...] = ()
    is_public: bool = False
    is_encrypted: bool = False

    @property
    def is_unfinished(self) -> bool:
        """Whether it is being baked, or was by a bake that broke off: it has not been tested yet."""
        return BAKE_TAG in self.tags and self.status is ImageStatus.UNTESTED

    @property
    def status(self) -> ImageStatus:
        """How far it has proved itself, by its tag."""
        try:
            return ImageStatus(self.tags.get(STATUS_TAG, ""))
        except ValueError:
            return ImageStatus.UNTESTED


@dataclass(frozen=True, slots=True)
class ImageCheck:
    """One thing that was looked at on a host of an image; `detail` says what was seen, or what is wrong."""

    name: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What is kept of an image beside the AMI, for as long as scores refer to it. Durations are in seconds.

    `build_s` is how long its build took, `boot_s` how long a host of it took from its launch until it answered; None
    where nobody measured.
    """

    image_id: str
    name: str
    created_at: datetime
    status: ImageStatus
    provenance: Provenance = field(default_factory=Provenance)
    build_s: float | None = None
    boot_s: float | None = None
    checks: tuple[ImageCheck, ...] = ()
    verified_at: datetime | None = None


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
class ComponentFailure:
    """The component's step that made a build fail, as Image Builder itself tells it."""

    component: str
    phase: str
    step: str


@dataclass(frozen=True, slots=True)
class ImageBuild:
    """One execution of an image pipeline. `image_id` is that of the AMI in the client's own region, once there is one.

    `log_group` and `log_stream` say where CloudWatch keeps its log. `failure` is None unless a component failed.
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
    failure: ComponentFailure | None = None


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
