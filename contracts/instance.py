"""An EC2 instance as the host pool sees it, with the request that starts one."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

ENDED_STATES = frozenset({"shutting-down", "terminated", "stopping", "stopped"})
"""States from which a host of ours never comes back: it is launched anew instead."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance. `state` is EC2's word (`pending`, `running`, ...); `address` is empty until it has one."""

    instance_id: str
    state: str
    address: str
    image_id: str
    instance_type: str
    launched_at: datetime
    reason: str = ""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether what ran on it is gone."""
        return self.state in ENDED_STATES


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What is asked of EC2 to start one host. `user_data` holds the host's key: it is not for logs."""

    image_id: str
    instance_type: str
    client_token: str
    tags: dict[str, str]
    user_data: str = field(repr=False, default="")
    launch_template_id: str = ""
    key_name: str = ""
    security_group_id: str = ""
    subnet_id: str = ""
    spot: bool = False


@dataclass(frozen=True, slots=True)
class Launch:
    """A launch that was decided on: kept before EC2 is asked, so that it can be asked again word for word.

    `host_key` is the public half of the host's own key. `instance_id` is empty until EC2 has answered; the request's
    user data, which holds the private half, is kept no longer than that.
    """

    request: LaunchRequest
    host_key: str
    instance_id: str = ""
