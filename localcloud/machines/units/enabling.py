"""Enable units by links, as systemd keeps them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from localcloud.machines.units import places, unit_file


def enable(name: str, units: Path = places.UNITS) -> Iterator[str]:
    """Link a unit where it wants to be wanted; gives what systemctl says of it. Raises UnitError."""
    unit = unit_file.read(name, (units / name).read_text())
    if not unit.wanted_by:
        yield f"{name} has no [Install]: nothing is enabled"
    for target in unit.wanted_by:
        link = units / f"{target}.wants" / name
        link.parent.mkdir(exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(units / name)
            yield f"Created symlink {link} → {units / name}."


def disable(name: str, units: Path = places.UNITS) -> Iterator[str]:
    """Remove every link to a unit; gives what systemctl says of it."""
    for link in sorted(units.glob(f"*.wants/{name}")):
        link.unlink()
        yield f"Removed {link}."


def is_enabled(name: str, units: Path = places.UNITS) -> bool:
    """Whether a boot starts it."""
    return any(units.glob(f"*.wants/{name}"))


def enabled(units: Path = places.UNITS, foreign: Path = places.FOREIGN) -> list[str]:
    """The machine's own units that a boot starts."""
    names = sorted({link.name for link in units.glob("*.wants/*")})
    return [name for name in names if places.is_own(name, units, foreign)]
