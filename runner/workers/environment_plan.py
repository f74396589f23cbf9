"""Plan the commands that make an event's environment on this machine."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from runner.workers.environment_file import EnvironmentFile

RUNS_SUBMISSIONS = "ramp-workflow"
"""What holds `ramp-test`; kits often leave it out."""

_PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input", "install")


@dataclass(frozen=True, slots=True)
class Plan:
    """Commands to be run one after the other in `folder`, and what of the file they leave out."""

    folder: Path
    commands: tuple[tuple[str, ...], ...]
    left_out: tuple[str, ...] = ()


def conda_plan(
    file: EnvironmentFile, name: str, *, is_new: bool, newest: bool = False, pip: Path | None = None
) -> Plan:
    """RAMP's own commands. `newest` goes on to the newest versions, where `pip` (the environment's) takes part."""
    commands: list[tuple[str, ...]] = []
    if is_new:
        commands.append(("conda", "create", "--name", name, "--yes"))
    commands.append(("conda", "env", "update", "--name", name, "--file", str(file.path)))
    if newest:
        commands.append(("conda", "update", "--name", name, "--all", "--yes"))
        if pip is not None and file.pip:
            commands.append((str(pip), "install", "--upgrade", *_requirements(file)))
    return Plan(file.path.parent, tuple(commands))


def venv_plan(file: EnvironmentFile, prefix: Path, python: str, *, is_new: bool, newest: bool = False) -> Plan:
    """A virtual environment from the file's pip part, made by the interpreter `python`.

    Names of conda's packages are not tried by pip: one of the same name may be something else.
    """
    commands: list[tuple[str, ...]] = []
    if is_new:
        commands.append((python, "-m", "venv", str(prefix)))
    wanted = _requirements(file)
    if not any(requirement.lower().startswith(("ramp-workflow", "ramp_workflow")) for requirement in file.pip):
        wanted = (*wanted, RUNS_SUBMISSIONS)
    upgrade = ("--upgrade",) if newest else ()
    commands.append((str(prefix / "bin" / "python"), *_PIP, *upgrade, *wanted))
    return Plan(file.path.parent, tuple(commands), (*file.conda, *(f"{key}:" for key in file.others)))


def _requirements(file: EnvironmentFile) -> tuple[str, ...]:
    """The pip part as arguments: an entry that is an option (`-r requirements.txt`) is several."""
    return tuple(word for entry in file.pip for word in (shlex.split(entry) if entry.startswith("-") else [entry]))
