"""What the local cloud knows of one instance, in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Description:
    """An instance as its owner, the EC2 API, describes it now.

    `user_data` is decoded. `shown_tags` is None where the launch does not show tags in the metadata.
    `public_key` is the key pair's, one line in OpenSSH's format.
    """

    instance_id: str
    image_id: str
    instance_type: str
    private_address: str
    public_address: str | None
    hostname: str
    region: str
    zone: str
    account_id: str
    life_cycle: str
    launch_index: int
    public_key: str | None
    security_groups: tuple[str, ...]
    shown_tags: Mapping[str, str] | None
    user_data: bytes


@dataclass(frozen=True, slots=True)
class Notices:
    """What EC2 has announced to an instance; times as ISO 8601 in UTC."""

    interruption_at: str | None = None
    rebalance_at: str | None = None
