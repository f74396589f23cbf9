"""Make or update the environment of an event on this machine."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from contracts.errors import AskedWrongly, CommandFailed, RampartError
from contracts.event import EventConfig, Worker
from runner.workers.environment_file import EnvironmentFile, find_file, read_file
from runner.workers.environment_plan import Plan, conda_plan, venv_plan
from runner.workers.environments import EnvironmentMissing, conda_prefix, environment_prefix
from tasks import console

_ANSWER_TIMEOUT_S = 30


def create(event: EventConfig, file: str | None) -> None:
    """Make the environment. Raises AskedWrongly where it is there already."""
    found = _file_of(event, file)
    existing = _existing(event.worker)
    if existing is not None:
        hint = f"bring it up to date: invoke env-update --event {event.name}"
        raise AskedWrongly(f"the environment {existing} is there already", hint=hint)
    if event.worker.env == "venv":
        python, left_out = _interpreter(found)
        plan = venv_plan(found, _venv_dir(event.worker), python, is_new=True)
        _carry_out(event, Plan(plan.folder, plan.commands, (*left_out, *plan.left_out)))
    else:
        _carry_out(event, conda_plan(found, event.worker.conda_env, is_new=True))


def update(event: EventConfig, file: str | None, *, newest: bool) -> None:
    """Bring the environment up to date. Raises AskedWrongly where there is none."""
    found = _file_of(event, file)
    existing = _existing(event.worker)
    if existing is None:
        hint = f"make it: invoke env-create --event {event.name}"
        raise AskedWrongly(f"event {event.name} has no environment yet", hint=hint)
    if event.worker.env == "venv":
        _carry_out(event, venv_plan(found, existing, "", is_new=False, newest=newest))
    else:
        pip = existing / "bin" / "pip"
        _carry_out(event, conda_plan(found, event.worker.conda_env, is_new=False, newest=newest, pip=pip))


def _file_of(event: EventConfig, name: str | None) -> EnvironmentFile:
    if event.is_on_ec2:
        hint = f"its image is made from the kit's files: invoke build-ami --event {event.name}"
        raise AskedWrongly(f"event {event.name} runs on EC2, not in an environment here", hint=hint)
    return read_file(find_file(event.ramp.kit_dir, name))


def _existing(worker: Worker) -> Path | None:
    """The environment's folder; None where there is none. Raises ToolMissing without conda."""
    if worker.env == "venv":
        folder = _venv_dir(worker)
        if folder.is_dir() and any(folder.iterdir()) and not (folder / "bin" / "python").exists():
            raise AskedWrongly(f"{folder} is not a virtual environment", hint="name another folder in worker.venv_dir")
        return folder if (folder / "bin" / "python").exists() else None
    try:
        return conda_prefix(worker.conda_env)
    except EnvironmentMissing as error:
        if error.__cause__ is not None:  # conda itself failed
            raise
        return None


def _venv_dir(worker: Worker) -> Path:
    if worker.venv_dir is None:
        raise AskedWrongly("worker.venv_dir is missing", hint="name the virtual environment's folder")
    return worker.venv_dir


def _interpreter(file: EnvironmentFile) -> tuple[str, tuple[str, ...]]:
    """The Python that the file asks for, else this one; with what of it is left out then."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    if file.python in ("", ours):
        return sys.executable, ()
    found = shutil.which(f"python{file.python}")
    if found is not None and _runs(found):
        return found, ()
    return sys.executable, (f"python={file.python} (it is {ours}: there is no python{file.python} on PATH)",)


def _runs(python: str) -> bool:
    """Whether it is an interpreter; what a version manager puts on PATH may be none."""
    try:
        asked = [python, "-I", "-c", "import ensurepip, venv"]
        return subprocess.run(asked, capture_output=True, timeout=_ANSWER_TIMEOUT_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _carry_out(event: EventConfig, plan: Plan) -> None:
    for argv in plan.commands:
        console.say(f"$ {shlex.join(argv)}", style="dim")
        ended = subprocess.run(argv, cwd=plan.folder, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False)
        if ended.returncode != 0:
            raise CommandFailed(
                f"`{shlex.join(argv)}` ended with exit code {ended.returncode}",
                exit_code=ended.returncode,
                hint="what it said stands above",
            )
    if plan.left_out:
        console.say("not honoured, for only conda can:", style="yellow")
        for entry in plan.left_out:
            console.say(f"  {entry}", style="yellow")
        console.say("write what submissions need of it into the file's part `pip:`, or use env: conda")
    _check(event)


def _check(event: EventConfig) -> None:
    try:
        prefix = environment_prefix(event.worker)
    except EnvironmentMissing as error:
        raise RampartError(str(error), hint=f"list ramp-workflow in {event.ramp.kit_dir}'s environment file") from error
    console.result(f"the environment of {event.name} is ready: {prefix}")
    console.next_step(f"invoke train-loop --event {event.name}")
