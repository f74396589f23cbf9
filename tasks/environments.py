"""Commands that make the environment submissions run in on this machine: env-create, env-update."""

from __future__ import annotations

from tasks.command import EVENT_HELP, command

_HELP = EVENT_HELP | {
    "file": "name of the kit's environment file, by default environment.yml, then ami_environment.yml"
}


@command(help=_HELP)
def env_create(event: str | None = None, config: str | None = None, file: str | None = None) -> None:
    """Make the event's environment from the kit's environment.yml: by conda, or with env: venv by pip.

    Example: invoke env-create --event iris
    """
    from tasks import environment
    from tasks.events import open_event

    opened = open_event(event, config=config, may_lack_environment=True)
    environment.create(opened, file)


@command(help=_HELP | {"newest": "go on to the newest versions of everything, as RAMP's update-conda-env does"})
def env_update(
    event: str | None = None, config: str | None = None, file: str | None = None, newest: bool = False
) -> None:
    """Bring the event's environment up to date with the kit's environment.yml.

    Example: invoke env-update --event iris
    """
    from tasks import environment
    from tasks.events import open_event

    opened = open_event(event, config=config, may_lack_environment=True)
    environment.update(opened, file, newest=newest)
