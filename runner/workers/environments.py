"""Find the environment on this machine that submissions run in."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

from contracts.errors import AskedWrongly, ToolMissing
from contracts.event import ClusterKind, Worker

_CONDA_TIMEOUT_S = 120


class EnvironmentMissing(AskedWrongly):
    """The environment of the event does not exist or lacks `ramp-test`."""


def environment_prefix(worker: Worker) -> Path:
    """Give the folder of the event's environment: `venv_dir`, or the conda environment named `conda_env`.

    Raises EnvironmentMissing, or ToolMissing where conda is asked for and not on PATH.
    """
    prefix = worker.venv_dir if worker.env == "venv" else conda_prefix(worker.conda_env)
    if prefix is None or not (prefix / "bin" / "ramp-test").is_file():
        hint = f"install it there: {prefix}/bin/pip install ramp-workflow"
        raise EnvironmentMissing(f"the environment {prefix} has no bin/ramp-test", hint=hint)
    return prefix


def kit_python(worker: Worker) -> Path:
    """The Python that can load the event's kit on this machine: its environment's, else the one that runs us.

    Raises EnvironmentMissing or ToolMissing.
    """
    return environment_prefix(worker) / "bin" / "python" if is_here(worker) else Path(sys.executable)


def is_here(worker: Worker) -> bool:
    """Whether the event's environment is on this machine: RAMP's Dask workers have it at the same place as we."""
    if worker.worker_type == "dask":
        return worker.dask_scheduler is not None or worker.cluster is ClusterKind.LOCAL
    return worker.worker_type == "conda"


def conda_prefix(name: str) -> Path:
    """Give the folder of a conda environment by name, as `conda info --envs --json` lists it."""
    conda = shutil.which("conda")
    if conda is None:
        hint = "put it on PATH, or use a virtual environment: worker.env: venv with worker.venv_dir"
        raise ToolMissing("conda is not on PATH", hint=hint)
    command = [conda, "info", "--envs", "--json"]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=_CONDA_TIMEOUT_S, check=True)
        return choose_prefix(name, json.loads(answer.stdout))
    except (subprocess.SubprocessError, ValueError, OSError) as error:
        raise EnvironmentMissing(f"`{' '.join(command)}` failed: {error}", hint="run it by hand") from error


def choose_prefix(name: str, info: dict[str, object]) -> Path:
    """Pick an environment from conda's own list; `base` is the installation itself, as in RAMP."""
    listed = info.get("envs")
    prefixes = [Path(str(prefix)) for prefix in listed] if isinstance(listed, list) else []
    root = info.get("root_prefix") or (prefixes[0] if prefixes else None)
    if name == "base" and root is not None:
        return Path(str(root))
    for prefix in prefixes:
        if prefix.name == name and prefix.parent.name == "envs":
            return prefix
    known = ", ".join(sorted(prefix.name for prefix in prefixes)) or "none"
    hint = f"conda knows: {known}; make it with: conda create --name {name} ..."
    raise EnvironmentMissing(f"no conda environment named {name!r}", hint=hint)
