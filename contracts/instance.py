"""An EC2 instance as the host pool sees it, with the request that starts some and the answer to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

LAUNCH_TAG = "rampart:launch"
"""Carries the beginning of the client token of the launch that started an instance."""

ENDED_STATES = frozenset({"shutting-down", "terminated", "stopping", "stopped"})
"""States from which a host of ours never comes back: it is launched anew instead."""
_RELEASED_STATES = frozenset({"shutting-down", "terminated"})
_RECLAIMED = "Server.SpotInstanceTermination"


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance. `state` is EC2's word (`pending`, `running`, ...); `address` is the public one where there is
    one, and empty until it has any; `private_address` is the one within its network.

    `reason` and `reason_code` are EC2's own, for its last change of state.
    """

    instance_id: str
    state: str
    address: str
    image_id: str
    instance_type: str
    launched_at: datetime
    reason: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    reason_code: str = ""
    private_address: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether what ran on it is gone."""
        return self.state in ENDED_STATES

    @property
    def is_released(self) -> bool:
        """Whether it costs nothing any more: one that is stopped still has its disk."""
        return self.state in _RELEASED_STATES

    @property
    def was_reclaimed(self) -> bool:
        """Whether it was a spot instance that EC2 took back."""
        return self.has_ended and self.reason_code == _RECLAIMED


@dataclass(frozen=True, slots=True)
class Pool:
    """Where EC2 has machines or lacks them: one type in one subnet's zone. An empty subnet leaves the zone to EC2."""

    instance_type: str
    subnet_id: str = ""


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What is asked of EC2 to start `count` hosts in one call. `user_data` holds their key: it is not for logs.

    With a launch template all `pools` are tried within the call; without one, only the first. `profile` is the name of
    an instance profile: hosts of runs have none.
    """

    image_id: str
    client_token: str
    tags: dict[str, str]
    pools: tuple[Pool, ...] = ()
    count: int = 1
    user_data: str = field(repr=False, default="")
    launch_template_id: str = ""
    key_name: str = ""
    security_group_id: str = ""
    spot: bool = False
    further_group_ids: tuple[str, ...] = ()
    profile: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why EC2 did not launch, or not as many as were asked for, in one pool. `code` is EC2's own."""

    pool: Pool
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class LaunchAnswer:
    """What a launch came to: possibly fewer instances than were asked for, with what kept the others from it."""

    instance_ids: tuple[str, ...]
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class Launch:
    """A launch that was decided on: kept before EC2 is asked, so that it can be asked again word for word.

    `submission_ids` are those it launches for, one instance each. `host_key` is the public half of the key its hosts
    share. `instance_id` is that of the one run it is asked about, empty until EC2 has answered; the request's user
    data, which holds the private half, is kept no longer than that. `own_key` is the public half of the key that this
    instance made for itself, empty until it is about to show it.
    """

    request: LaunchRequest
    host_key: str
    submission_ids: tuple[int, ...]
    intended_at: datetime
    instance_id: str = ""
    own_key: str = ""


def one_each(submission_ids: Iterable[int], instance_ids: Iterable[str]) -> dict[int, str]:
    """Give each submission one instance; the same for whoever asks, as long as there are instances."""
    return dict(zip(sorted(submission_ids), sorted(instance_ids), strict=False))
