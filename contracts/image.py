"""A machine image an event may run on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ImageReference:
    """One AMI, resolved to its id. `tested` says that its test phase passed on a fresh instance."""

    image_id: str
    name: str
    created_at: datetime
    tested: bool
