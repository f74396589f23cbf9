"""Find and open the event a command is about."""

from __future__ import annotations

import os
from pathlib import Path

from contracts.errors import AskedWrongly, RampartError, UnknownName
from contracts.event import EventConfig
from contracts.event_file import load_event
from contracts.event_secrets import secrets_of


def events_folder() -> Path:
    """The folder `events` here or in the nearest parent, so that commands work in any subfolder of a deployment."""
    here = Path.cwd()
    return next(
        (folder / "events" for folder in (here, *here.parents) if (folder / "events").is_dir()), here / "events"
    )


def open_event(
    name: str | None, *, config: str | None = None, local: bool = False, may_lack_environment: bool = False
) -> EventConfig:
    """Load an event by name (`events/<name>/config.yml`) or by the path of its file, and show what it was warned of.

    With `local` the environment of the running local cloud is put over this process's own first.
    """
    from tasks import console

    event = read_event(name, config=config, local=local, may_lack_environment=may_lack_environment)
    own_database = "the event has a database of its own: this rehearsal works on that very queue"
    has_own = str(event.state_root) not in event.database_url.get_secret_value()
    for warning in (*event.warnings, *([own_database] if local and has_own else [])):
        console.say(f"warning: {warning}", style="yellow")
    return event


def read_event(
    name: str | None, *, config: str | None = None, local: bool = False, may_lack_environment: bool = False
) -> EventConfig:
    """Load an event as `open_event` does, and keep silent; its secrets are shown nowhere from now on."""
    from tasks import console

    if local:
        enter_local_cloud()
    event = load_event(
        _event_file(name),
        environ=os.environ,
        deployment_config=Path(config) if config else None,
        may_lack_environment=may_lack_environment,
    )
    console.hide(secrets_of(event, os.environ))
    return event


def event_of_challenge(challenge: str) -> str:
    """The one event whose `ramp.problem_name` is `challenge`; of several the one that is called so.

    Raises AskedWrongly when there are more and none is.
    """
    import yaml

    found = []
    for path in sorted(events_folder().glob("*/config.yml")):
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
            problem = content["ramp"]["problem_name"]
        except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
            continue  # a broken file is told about when that event is opened
        if problem == challenge:
            found.append(path.parent.name)
    if not found:
        raise UnknownName(f"no event has the challenge {challenge!r}", hint=_known_events())
    if challenge in found:
        return challenge
    if len(found) > 1:
        raise AskedWrongly(
            f"{len(found)} events have the challenge {challenge!r}", hint=f"name one with --event: {', '.join(found)}"
        )
    return found[0]


def files_naming_an_image() -> dict[str, str]:
    """By event, the `worker.ami_image_id` of those event files here that have one, whatever else is in them."""
    import yaml

    found = {}
    for path in sorted(events_folder().glob("*/config.yml")):
        try:
            image_id = yaml.safe_load(path.read_text(encoding="utf-8"))["worker"]["ami_image_id"]
        except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
            continue  # it names none, or is broken: that is told about when the event is opened
        if isinstance(image_id, str):
            found[path.parent.name] = image_id
    return found


def enter_local_cloud() -> None:
    """Let every AWS client of this process talk to the local cloud that runs here or in the nearest parent folder."""
    from localcloud import state
    from localcloud.__main__ import DEFAULT_FOLDER

    here = Path.cwd()
    folders = (folder / DEFAULT_FOLDER for folder in (here, *here.parents))
    running = next(filter(None, (state.read(folder) for folder in folders if folder.is_dir())), None)
    if running is None:
        raise RampartError("no local cloud runs here", hint="start one in another terminal: invoke local-cloud")
    os.environ.update(running.environment)


def _event_file(name: str | None) -> Path:
    if not name:
        names = event_names()
        if len(names) == 1:
            return events_folder() / names[0] / "config.yml"
        raise AskedWrongly("which event?", hint=f"--event NAME; {_known_events()}")
    if name.endswith((".yml", ".yaml")):
        return Path(name)
    path = events_folder() / name / "config.yml"
    if not path.is_file():
        raise UnknownName(f"no event {name!r}: {path} does not exist", hint=_known_events())
    return path


def event_names() -> list[str]:
    """The events that have a file here, by name."""
    return sorted(path.parent.name for path in events_folder().glob("*/config.yml"))


def _known_events() -> str:
    names = event_names()
    return f"events here: {', '.join(names)}" if names else "make one: invoke init-event NAME --kit PATH"
