"""Say what a room of machines needs to know, as one value that can cross to the keeper process."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RoomPlan:
    """What is the same for every machine of a room. All paths are absolute and resolved.

    `shown` are folders bound read-only at their own path, even below a hidden one; `hidden` folders are empty inside,
    `hidden_files` do not exist or are empty. `own_network` False shares this machine's network. `python` is what runs a
    machine's own units inside; where it is empty nothing does.
    """

    level: str
    folder: str
    shown: tuple[str, ...]
    hidden: tuple[str, ...]
    hidden_files: tuple[str, ...]
    stand_ins: tuple[str, ...]
    own_network: bool
    memory_bytes: int
    python: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> RoomPlan:
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(text).items()
        }
        return cls(**fields)


METADATA_ADDRESS = "169.254.169.254"
INSIDE = "/run/rampart"  # what the machine and we share, as seen inside
CALLS_INSIDE = f"{INSIDE}/calls"
ADDRESS_INSIDE = f"{INSIDE}/address"
TOOLS_INSIDE = "/usr/local/lib/rampart"
UNITS_INSIDE = f"{TOOLS_INSIDE}/units"
AS_ROOT_INSIDE = f"{TOOLS_INSIDE}/as-root"
LOGIN_UID = 1000
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# how a machine's first process ends: 0 is never used, so that an accident is told from a wish
EXIT_SHUTDOWN = 70
EXIT_REBOOT = 71
