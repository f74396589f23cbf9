"""Commands for an event's infrastructure: init-event, preview, up, refresh, destroy, outputs, hosts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tasks.command import EVENT_HELP, JSON_HELP, LOCAL_HELP, command

if TYPE_CHECKING:
    from contracts.instance import Instance


@command(
    help={
        "name": "the event's name, e.g. iris",
        "kit": "folder of the challenge's kit (with problem.py)",
        "force": "overwrite an event file that is already there",
    }
)
def init_event(name: str, kit: str, force: bool = False) -> None:
    """Write a commented event file.

    Example: invoke init-event iris --kit examples/iris
    """
    from contracts.errors import AskedWrongly, KitInvalid
    from contracts.event_file import render_event
    from tasks import console
    from tasks.events import events_folder, open_event

    folder = Path(kit).resolve()
    if not (folder / "problem.py").is_file():
        raise KitInvalid(f"{folder} has no problem.py", hint="--kit takes the folder of a RAMP kit")
    text = render_event(name, folder)
    path = events_folder() / name / "config.yml"
    if path.exists() and not force:
        raise AskedWrongly(f"{path} exists already", hint="--force overwrites it")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    console.result(f"wrote {path}")
    open_event(str(path))
    console.next_step(f"edit {path}, then: invoke up --event {name} (with --local: no AWS account needed)")


@command(help=EVENT_HELP | LOCAL_HELP | JSON_HELP)
def preview(event: str | None = None, config: str | None = None, local: bool = False, json: bool = False) -> None:
    """Tell what `up` would create, update, replace and delete, and do none of it.

    Example: invoke preview --event iris --local
    """
    from tasks import console, stack
    from tasks.events import open_event

    opened = open_event(event, config=config, local=local)
    changes = stack.preview(opened, local=local, config=config)
    if json:
        console.rows_as_json(changes)
        return
    rows = [(change.action, change.name, change.type) for change in changes]
    console.table("would be", ("action", "resource", "type"), rows, empty="nothing, all is as declared")
    if changes:
        console.next_step(f"invoke up --event {opened.name}")


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | {
        "skip-preflight": "deploy also where the preflight finds errors",
        "rotate-certificates": "replace the Dask cluster's authority and all it has certified, due or not",
    }
)
def up(
    event: str | None = None,
    config: str | None = None,
    local: bool = False,
    skip_preflight: bool = False,
    rotate_certificates: bool = False,
) -> None:
    """Deploy the event's stack; the preflight comes first. Twice changes nothing.

    Example: invoke up --event iris --local
    """
    from tasks import console, stack
    from tasks.events import open_event

    opened = open_event(event, config=config, local=local)
    outputs = stack.up(
        opened,
        local=local,
        skip_preflight=skip_preflight,
        config=config,
        rotate_certificates=rotate_certificates,
    )
    console.result(f"stack {opened.name} is up in {opened.region}")
    if outputs.waits_for_image:
        waiting = " and ".join(outputs.waits_for_image)
        console.say(f"{waiting} will come with the next up, once there is an image")
    console.next_step(f"invoke build-ami --event {opened.name}")


@command(help=EVENT_HELP | LOCAL_HELP)
def refresh(event: str | None = None, config: str | None = None, local: bool = False) -> None:
    """Compare what is remembered of the stack with the cloud, and forget what somebody deleted there.

    Example: invoke refresh --event iris
    """
    from tasks import console, stack
    from tasks.events import open_event

    opened = open_event(event, config=config, local=local)
    stack.refresh(opened, local=local, config=config)
    console.result(f"stack {opened.name} is remembered as it is in {opened.region}")
    console.next_step(f"invoke preview --event {opened.name}")


@command(
    help=EVENT_HELP
    | LOCAL_HELP
    | {"yes": "do not ask", "force": "also while runs or hosts of the event are under way: its hosts are ended first"}
)
def destroy(
    event: str | None = None, config: str | None = None, local: bool = False, yes: bool = False, force: bool = False
) -> None:
    """Remove the event's stack with its bucket and standing fleets. Submissions, scores and images stay.

    Example: invoke destroy --event iris --local
    """
    from contracts.errors import AskedWrongly
    from tasks import console, stack, under_way
    from tasks.events import open_event

    opened = open_event(event, config=config, local=local)
    found = under_way.find(opened, despite_database=force)
    if found and not force:
        hint = "stop train-loop (Ctrl-C) and wait for their end; --force ends the hosts with all that runs on them"
        raise AskedWrongly(f"of the event are under way: {found}", hint=hint)
    if found:
        console.say(f"--force: broken off with the stack are {found}; a train-loop must not run now", style="yellow")
    if not (yes or local or console.confirmed(f"destroy the stack {opened.name} in {opened.region}?")):
        raise AskedWrongly("nothing was destroyed", hint="say yes, or give --yes")
    under_way.end_hosts(opened, found.hosts)
    stack.destroy(opened, local=local, config=config)
    console.result(f"stack {opened.name} is gone")


@command(help=EVENT_HELP | LOCAL_HELP | JSON_HELP)
def outputs(event: str | None = None, config: str | None = None, local: bool = False, json: bool = False) -> None:
    """Show what the deployed stack exported.

    Example: invoke outputs --event iris --json
    """
    from tasks import console, stack
    from tasks.events import open_event

    found = stack.needed_outputs(open_event(event, config=config, local=local)).model_dump()
    if json:
        console.data(found)
    else:
        console.table("outputs", ("name", "value"), [(name, _joined(value)) for name, value in found.items()])


@command(name="hosts", help=EVENT_HELP | LOCAL_HELP | JSON_HELP)
def list_hosts(event: str | None = None, config: str | None = None, local: bool = False, json: bool = False) -> None:
    """List the event's instances that are up: hosts of runs, and whatever else of it costs money.

    Example: invoke hosts --event iris
    """
    import dataclasses

    from tasks import console, hosts
    from tasks.events import open_event

    machines = hosts.machines(open_event(event, config=config, local=local))
    if json:
        console.data([dataclasses.asdict(machine.instance) | {"role": machine.role} for machine in machines])
        return
    columns = ("instance", "is", "state", "address", "type", "image", "since", "ends itself at")
    rows = [
        (found.instance_id, machine.role, found.state, found.address, found.instance_type, found.image_id,
         found.launched_at, _end_of(found))
        for machine in machines
        for found in (machine.instance,)
    ]  # fmt: skip
    console.table("hosts", columns, rows, empty="none is up")


def _end_of(instance: Instance) -> object:
    from runner.reaping.reaper import KEEP_TAG, deadline_of

    return deadline_of(instance) or instance.tags.get(KEEP_TAG)


def _joined(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
