"""Say what a bake is to make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from imagebuilder.catalogue import Component

MARGIN_S = 900.0
"""How long a rented machine may outlive the work on it before it powers itself off."""


@dataclass(frozen=True, slots=True)
class Order:
    """One image to be made. `parent_image` is an AMI's id, `tags` are what the image carries from its beginning.

    `kms_key` encrypts the image, empty for the account's own key. `share_with` are ids of accounts. With `profile`, an
    instance profile's name, the machine that builds has its permissions; the one that tests has none. Times are in
    seconds; `image_timeout_s` is for EC2 to make the image.
    """

    image_name: str
    parent_image: str
    components: tuple[Component, ...]
    event: str
    tags: Mapping[str, str]
    instance_type: str
    profile: str = ""
    kms_key: str = ""
    share_with: tuple[str, ...] = ()
    build_timeout_s: float = 14400.0
    test_timeout_s: float = 3600.0
    image_timeout_s: float = field(default=3600.0, kw_only=True)

    @property
    def description(self) -> str:
        """What EC2 shows of the image."""
        return f"Rampart image of the event {self.event}"

    def name_at(self, moment: datetime) -> str:
        """Give the image the name that Image Builder would: the base name and the build date, in UTC."""
        date = moment.astimezone(UTC)
        return f"{self.image_name} {date:%Y-%m-%dT%H-%M-%S}.{date.microsecond // 1000:03d}Z"
