"""Bring what runs a machine's own units into the machine, and start it there."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

from localcloud.machines.machine import Spawn
from localcloud.machines.plan import UNITS_INSIDE, RoomPlan
from localcloud.machines.units import enabling, places

_PACKAGES = ("localcloud", "localcloud/machines")


def python_of(environment: Path) -> str:
    """The interpreter that machines see in the environment; empty where there is none."""
    python = environment.resolve() / "bin" / "python"
    return str(python) if python.exists() else ""


def install(tools: Path) -> None:
    """Write the program, and the names of the units that are not a machine's own, into the folder of stand-ins."""
    folder = tools / Path(UNITS_INSIDE).name
    program = Path(__file__).parent / "units"
    inside = folder.joinpath(*_PACKAGES[-1].split("/"), program.name)
    inside.mkdir(parents=True, exist_ok=True)
    for package in _PACKAGES:  # those here import what a machine does not have
        (folder / package / "__init__.py").write_text("")
    for path in program.glob("*.py"):
        (inside / path.name).write_bytes(path.read_bytes())
    (folder / "__main__.py").write_bytes((program / "__main__.py").read_bytes())
    foreign = sorted(path.name for path in places.UNITS.glob("*") if path.suffix in (".service", ".path"))
    (tools / places.FOREIGN.name).write_text("".join(f"{name}\n" for name in foreign))


def manager(plan: RoomPlan, *, is_boot: bool) -> tuple[str, ...]:
    """The command of the units' manager, to be run inside; a boot starts what is enabled."""
    return (plan.python, "-I", "-S", "-B", UNITS_INSIDE, "serve", plan.level, *(("boot",) if is_boot else ()))


def run(spawn: Spawn) -> None:
    """Start a program that ends with its machine, and collect it then."""
    process = subprocess.Popen(
        spawn.argv,
        env=spawn.env,
        cwd=spawn.cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    threading.Thread(target=process.wait, name="machine-units", daemon=True).start()


def are_enabled(first: int) -> bool:
    """Whether a boot is to start any unit of the machine whose first process that is, seen from outside."""
    root = f"/proc/{first}/root"
    return bool(enabling.enabled(Path(root + str(places.UNITS)), Path(root + str(places.FOREIGN))))
