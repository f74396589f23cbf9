"""The command that asks AWS for what an event needs of it: preflight."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from contracts.errors import RampartError
from tasks.command import EVENT_HELP, JSON_HELP, LOCAL_HELP, command

if TYPE_CHECKING:
    from contracts.event import EventConfig
    from contracts.findings import Finding


class PreflightFailed(RampartError):
    """What the event needs is not there: nothing was deployed."""


@command(help=EVENT_HELP | LOCAL_HELP | JSON_HELP)
def preflight(event: str | None = None, config: str | None = None, local: bool = False, json: bool = False) -> None:
    """Ask AWS whether the event can be deployed, and what its machines cost. Changes nothing; `up` does it first.

    Example: invoke preflight --event iris
    """
    from tasks import console, findings
    from tasks.events import open_event

    opened = open_event(event, config=config, local=local)
    found = look(opened)
    findings.show(found, as_json=json)
    if findings.has_errors(found):
        console.next_step(f"mend what is an error, then again: invoke preflight --event {opened.name}")
        sys.exit(1)
    console.next_step(f"invoke up --event {opened.name}")


def look(event: EventConfig) -> list[Finding]:
    """Everything that AWS, or the local cloud where the environment points there, tells of what the event needs."""
    from clients.aws.session import session_for
    from clients.aws.survey import AwsSurvey
    from infra.preflight import preflight as looked
    from runner.app import now

    moment = now()
    return looked(event, AwsSurvey(session_for(event), now=moment), now=moment)


def refuse_on_errors(event: EventConfig, local: bool) -> None:
    """Look, tell what is not fine, and raise PreflightFailed where something would keep the stack from coming up."""
    from contracts.findings import Level
    from tasks import console, findings

    console.say(f"asking {'the local cloud' if local else 'AWS'} for what {event.name} needs ...")
    found = look(event)
    # of a rehearsal most warnings are about what the local cloud does not have
    findings.tell([one for one in found if one.level is Level.ERROR or not local])
    if local and not findings.has_errors(found):
        console.say(f"  nothing in the way ({findings.counted(found)}: invoke preflight --event {event.name})")
    if findings.has_errors(found):
        hint = f"mend it, then look again: invoke preflight --event {event.name}"
        raise PreflightFailed(f"preflight found {findings.counted(found)}: nothing was deployed", hint=hint)
