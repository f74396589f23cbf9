"""Say where a machine's units, and what belongs to them, are; all paths as seen inside."""

from __future__ import annotations

import re
from pathlib import Path

UNITS = Path("/etc/systemd/system")
FOLDER = Path("/run/rampart-units")
SOCKET = FOLDER / "socket"
LOGS = Path("/var/lib/rampart-units")
TOOLS = Path("/usr/local/lib/rampart")
FOREIGN = TOOLS / "foreign-units"
"""Names, one a line, of the units that the machine around this one has in the same folder."""

_NAME = re.compile(r"[\w:@.-]+\.(service|path)")


def full_name(name: str) -> str:
    """A unit's name with its type, which is a service's where none is said."""
    return name if name.endswith((".service", ".path")) else f"{name}.service"


def is_own(name: str, units: Path = UNITS, foreign: Path = FOREIGN) -> bool:
    """Whether the machine itself wrote the unit, which alone is run."""
    if not _NAME.fullmatch(name) or (units / name).is_symlink() or not (units / name).is_file():
        return False
    return not foreign.is_file() or name not in foreign.read_text().splitlines()


def log_of(name: str) -> Path:
    """What a service's processes say, and what is said of them."""
    return LOGS / f"{name.removesuffix('.service')}.log"
