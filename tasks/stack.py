"""Deploy and destroy an event's stack, on AWS through Pulumi or into the local cloud in this process."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from contracts.errors import ToolMissing, UnknownName
from contracts.event import EventConfig
from contracts.stack import StackOutputs
from runner import whole_files
from tasks import console, dask_certificates, stack_secrets
from tasks.planned import Planned

if TYPE_CHECKING:
    from localcloud.deployer import Deployer
    from tasks.engine import Engine

PROJECT = "rampart"
REPOSITORY = Path(__file__).resolve().parent.parent


def preview(event: EventConfig, *, local: bool, config: str | None = None) -> list[Planned]:
    """Tell what `up` would change. Makes the event's SSH key where it has none, for its public half is deployed."""
    if local:
        return _preview_locally(event)
    with _engine(event, "previewing", config=config) as engine:
        _ensure_key(event)
        engine.preview()
    return engine.listener.changes


def up(
    event: EventConfig,
    *,
    local: bool,
    skip_preflight: bool = False,
    config: str | None = None,
    rotate_certificates: bool = False,
) -> StackOutputs:
    """Deploy the event's stack; keeps its outputs for the runner. Makes the event's SSH key where it has none.

    The certificates of a Dask cluster are made, and replaced when they are due or with `rotate_certificates`.
    """
    if not local:
        _require_pulumi()
    _ensure_key(event)
    if not skip_preflight:
        from tasks import preflight

        preflight.refuse_on_errors(event, local=local)
    stack_secrets.warn_of_missing(event, local=local, stack_file=REPOSITORY / f"Pulumi.{event.name}.yaml")
    raw = _up_locally(event) if local else _up_on_aws(event, config)
    outputs = StackOutputs.model_validate(raw)
    whole_files.write(outputs_path(event), outputs.model_dump_json(indent=2) + "\n")
    if outputs.access == "gateway":
        from tasks import gateway

        gateway.ensure_known(event, outputs)
    dask_certificates.settle(event, outputs, rotate=rotate_certificates)
    return outputs


def refresh(event: EventConfig, *, local: bool, config: str | None = None) -> None:
    """Compare what is remembered of the stack with the cloud, and forget what is gone."""
    if not local:
        with _engine(event, "refreshing", config=config) as engine:
            engine.refresh()
        return
    with _deployer(event, "refreshing") as deployer:
        refreshed = deployer.refresh()
    console.say(refreshed.summary)


def destroy(event: EventConfig, *, local: bool, config: str | None = None) -> None:
    """Remove everything the stack made, and the component versions it kept from one deployment to the next.

    Twice is fine.
    """
    if local:
        with _deployer(event, "destroying") as deployer:
            removed = deployer.destroy()
        console.say(removed.summary)
    else:
        with _engine(event, "destroying", config=config) as engine:
            try:
                engine.destroy()
            except UnknownName as unknown:
                console.say(unknown.message)
    _sweep(event)
    outputs_path(event).unlink(missing_ok=True)
    dask_certificates.forget(event)


def outputs_of(event: EventConfig) -> StackOutputs | None:
    """What the stack exported: as `up` kept it here, else as the pulumi program knows it; None where neither does."""
    path = outputs_path(event)
    text = path.read_text(encoding="utf-8") if path.is_file() else _asked_of_pulumi(event)
    if text is None:
        return None
    try:
        return StackOutputs.model_validate_json(text)
    except ValidationError as error:
        hint = f"deploy again: invoke up --event {event.name}"
        raise UnknownName(f"the outputs of {event.name} are not what this version writes", hint=hint) from error


def _asked_of_pulumi(event: EventConfig) -> str | None:
    """A stack deployed by plain `pulumi up` left no file of ours; a rehearsal is none of Pulumi's."""
    pulumi = shutil.which("pulumi")
    if pulumi is None or "AWS_ENDPOINT_URL" in os.environ:
        return None
    command = [pulumi, "--non-interactive", "stack", "output", "--json", "--stack", event.name]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 and done.stdout.strip() not in ("", "{}") else None


def needed_outputs(event: EventConfig) -> StackOutputs:
    """Like `outputs_of`, for commands that cannot do without."""
    outputs = outputs_of(event)
    if outputs is None:
        hint = f"deploy it first: invoke up --event {event.name} (with --local for the local cloud)"
        raise UnknownName(f"the stack {event.name} has no outputs here", hint=hint)
    return outputs


def outputs_path(event: EventConfig) -> Path:
    """Where the outputs are kept."""
    return event.state_dir / "outputs.json"


def _ensure_key(event: EventConfig) -> None:
    from clients.keys import new_key_file

    if event.worker.key_path is None and event.worker.key_name is None and not event.key_path.exists():
        new_key_file(event.key_path)
        console.say(f"made the event's SSH key: {event.key_path}")


def _preview_locally(event: EventConfig) -> list[Planned]:
    from infra import program

    _ensure_key(event)
    secrets = stack_secrets.from_environment(event, os.environ)
    with _deployer(event, "previewing") as deployer:
        foreseen = deployer.preview(lambda: program.build(event), project=PROJECT, stack=event.name, secrets=secrets)
    console.say(foreseen.summary)
    return [
        Planned(change.action.value, change.name, change.type)
        for change in foreseen.changes
        if change.action.value != "unchanged"
    ]


def _up_locally(event: EventConfig) -> dict[str, Any]:
    from infra import program

    secrets = stack_secrets.from_environment(event, os.environ)
    with _deployer(event, "deploying") as deployer:
        deployment = deployer.up(lambda: program.build(event), project=PROJECT, stack=event.name, secrets=secrets)
    console.say(deployment.summary)
    return deployment.outputs


def _up_on_aws(event: EventConfig, config: str | None) -> dict[str, Any]:
    with _engine(event, "deploying", config=config) as engine:
        return engine.up()


@contextmanager
def _deployer(event: EventConfig, doing: str) -> Iterator[Deployer]:
    from localcloud.deployer import Deployer

    with console.progress(f"{doing} the stack {event.name}") as show:
        yield Deployer(event.state_dir / "stack.json", os.environ, on_progress=lambda change: show(str(change), None))


@contextmanager
def _engine(event: EventConfig, doing: str, *, config: str | None) -> Iterator[Engine]:
    """Give the engine while its progress is shown; then tell what it warned of, and what it has done."""
    _require_pulumi()
    from tasks.engine import Engine

    with console.progress(f"{doing} the stack {event.name}") as show:
        engine = Engine(event, lambda line: show(line, None), config=config)
        yield engine
    for warning in engine.listener.warnings:
        console.say(f"warning: {warning}", style="yellow")
    console.say(engine.listener.summary)


def _require_pulumi() -> None:
    if shutil.which("pulumi") is None:
        hint = "install it from pulumi.com/docs/install, or try the event without it and without AWS: --local"
        raise ToolMissing("the pulumi command is not on PATH", hint=hint)


def _sweep(event: EventConfig) -> None:
    from clients.aws.retained import Retained
    from clients.aws.session import session_for

    swept = Retained(session_for(event)).sweep({"rampart:stack": event.name})
    if swept.deleted:
        console.say(f"{len(swept.deleted)} retained versions of recipe and components swept")
    for arn in swept.in_use:
        console.say(f"kept, for something still uses it: {arn}")
