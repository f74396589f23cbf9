"""Rooms of real machines at every level this machine can do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localcloud.machines import Level, Machine, MachineRoom
from localcloud.machines.probe import why_not

Result = subprocess.CompletedProcess[str]
Inside = Callable[..., Result]
REPOSITORY = Path(__file__).parents[4]


def need(level: Level) -> None:
    reason = why_not(level)
    if reason is not None:
        pytest.skip(f"this machine cannot do the level {level}: {reason}")


@pytest.fixture(params=list(Level))
def level(request: pytest.FixtureRequest) -> Level:
    chosen: Level = request.param
    need(chosen)
    return chosen


@pytest.fixture
def room(level: Level, tmp_path: Path) -> Iterator[MachineRoom]:
    with MachineRoom(
        tmp_path / "room", level=level, environment=Path(sys.prefix), masked=[REPOSITORY], memory_bytes=512 << 20
    ) as room:
        yield room


@pytest.fixture
def machine(room: MachineRoom) -> Machine:
    return room.create("i-0123", image_id=None, login_user="ubuntu")


@pytest.fixture
def inside() -> Inside:
    """Run a shell script in a machine and wait for its end."""

    def run(machine: Machine, script: str, *, user: str = "ubuntu", through: tuple[str, ...] = ("sh", "-c")) -> Result:
        spawn = machine.spawn([*through, script], user=user)
        return subprocess.run(
            spawn.argv,
            env=spawn.env,
            cwd=spawn.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
