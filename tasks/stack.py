"""Deploy and destroy an event's stack, on AWS through Pulumi or into the local cloud in this process."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from contracts.errors import RampartError, ToolMissing, UnknownName
from contracts.event import EventConfig
from contracts.stack import StackOutputs
from tasks import console

if TYPE_CHECKING:
    from localcloud.deployer import Deployer

PROJECT = "rampart"
_REPOSITORY = Path(__file__).resolve().parent.parent


class DeploymentFailed(RampartError):
    """Pulumi ended with an error; its own output says which resource."""


def up(event: EventConfig, *, local: bool) -> StackOutputs:
    """Deploy the event's stack; keeps its outputs for the runner. Makes the event's SSH key where it has none."""
    if not local:
        _require_pulumi()
    _ensure_key(event)
    raw = _up_locally(event) if local else _up_on_aws(event)
    outputs = StackOutputs.model_validate(raw)
    path = outputs_path(event)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(outputs.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return outputs


def destroy(event: EventConfig, *, local: bool) -> None:
    """Remove everything the stack made, and the component versions it kept from one deployment to the next."""
    if local:
        with _deployer(event, "destroying") as deployer:
            removed = deployer.destroy()
        console.say(removed.summary)
    else:
        _on_aws(event, lambda stack: stack.destroy(on_output=console.say))
    _sweep(event)
    outputs_path(event).unlink(missing_ok=True)


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
    command = [pulumi, "stack", "output", "--json", "--stack", event.name]
    done = subprocess.run(command, cwd=_REPOSITORY, capture_output=True, text=True, check=False)
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


def _up_locally(event: EventConfig) -> dict[str, Any]:
    from infra import program

    with _deployer(event, "deploying") as deployer:
        deployment = deployer.up(lambda: program.build(event), project=PROJECT, stack=event.name)
    console.say(deployment.summary)
    return deployment.outputs


@contextmanager
def _deployer(event: EventConfig, doing: str) -> Iterator[Deployer]:
    from localcloud.deployer import Deployer

    with console.progress(f"{doing} the stack {event.name}") as show:
        yield Deployer(event.state_dir / "stack.json", os.environ, on_progress=lambda change: show(str(change), None))


def _up_on_aws(event: EventConfig) -> dict[str, Any]:
    result = _on_aws(event, lambda stack: stack.up(on_output=console.say))
    return {name: output.value for name, output in result.outputs.items()}


def _sweep(event: EventConfig) -> None:
    from clients.aws.retained import Retained
    from clients.aws.session import session_for

    swept = Retained(session_for(event)).sweep({"rampart:stack": event.name})
    if swept.deleted:
        console.say(f"{len(swept.deleted)} retained versions of recipe and components swept")
    for arn in swept.in_use:
        console.say(f"kept, for something still uses it: {arn}")


def _require_pulumi() -> None:
    if shutil.which("pulumi") is None:
        hint = "install it from pulumi.com/docs/install, or try the event without AWS: --local"
        raise ToolMissing("the pulumi command is not on PATH", hint=hint)


def _on_aws(event: EventConfig, act: Callable[[Any], Any]) -> Any:
    _require_pulumi()
    from pulumi import automation

    os.environ["RAMPART_EVENT_FILE"] = str(event.path)
    try:
        stack = automation.create_or_select_stack(stack_name=event.name, work_dir=str(_REPOSITORY))
        return act(stack)
    except automation.CommandError as error:
        hint = f"the lines above say which resource; try again: pulumi up --stack {event.name}"
        raise DeploymentFailed(f"pulumi failed for the stack {event.name}", hint=hint) from error
