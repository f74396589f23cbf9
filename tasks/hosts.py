"""Look at the instances of an event."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contracts.errors import AskedWrongly, CloudError
from contracts.event import EventConfig
from contracts.instance import LAUNCH_TAG, Instance
from runner.ports import Hosts
from tasks import gateway, stack

_HOST = "host"


@dataclass(frozen=True, slots=True)
class Machine:
    """An instance of an event, and what it is: `host` of a run, `jump-host`, `standing-host`, `image-build`, ..."""

    instance: Instance
    role: str


def machines(event: EventConfig) -> list[Machine]:
    """Every instance of the event that has not ended; none for an event that runs on this machine."""
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for

    if not event.is_on_ec2:
        return []
    found = Ec2(session_for(event)).instances({"rampart:event": event.name})
    return [Machine(instance, _role(event, instance)) for instance in found if not instance.has_ended]


def live(event: EventConfig) -> list[Instance]:
    """The hosts that runs were given, as long as they are up."""
    return [machine.instance for machine in machines(event) if machine.role == _HOST]


def _role(event: EventConfig, instance: Instance) -> str:
    """A launch of ours carries a tag of its own; the name of everything else says what it is declared as."""
    if LAUNCH_TAG in instance.tags:
        return _HOST
    return instance.tags.get("Name", "").removeprefix(f"rampart-{event.name}-")


def standing(event: EventConfig, instance_id: str, *, host_key_file: str | None) -> Hosts:
    """The host pool of one running instance, whose key is in the file, in our launches' record or on its console.

    It is connected to once, before any work is taken. Raises AskedWrongly where the event does not run on EC2, no key
    is known, or a run has the instance; HostKeyRefused or HostUnreachable where it does not answer as it should.
    """
    from runner.app import open_catalogue, standing_host
    from runner.telling.estimate import is_running

    if event.worker.worker_type != "aws":
        hint = "leave --instance-id out, or set worker.worker_type: aws"
        raise AskedWrongly(f"event {event.name} runs on this machine, not on instances", hint=hint)
    catalogue = open_catalogue(event)
    for row in catalogue.submissions(event.name):
        if row.host_id == instance_id and is_running(row):
            hint = "wait for its end: that host is ended with its run"
            raise AskedWrongly(f"instance {instance_id} serves {row.team}/{row.submission}", hint=hint)
    if host_key_file:
        key = _key_in(Path(host_key_file))
    else:
        key = catalogue.host_key(instance_id) or _shown(event, instance_id)
    if not key:
        hint = "--host-key FILE, with what /etc/ssh/ssh_host_ed25519_key.pub holds on the instance"
        raise AskedWrongly(f"no host key is known for {instance_id}: it is not connected to", hint=hint)
    outputs = stack.outputs_of(event)
    gateway_key = gateway.ensure_known(event, outputs)
    host = standing_host(event, instance_id, key, outputs=outputs, gateway_key=gateway_key)
    host.look()
    return host


def _shown(event: EventConfig, instance_id: str) -> str:
    """The key on the instance's console at present; empty for one that EC2 does not know, or that shows none."""
    from clients.aws.console import Console
    from clients.aws.session import session_for

    try:
        return Console(session_for(event)).host_key(instance_id, patience_s=0)
    except CloudError as error:
        if error.code.startswith("InvalidInstanceID"):
            return ""
        raise


def _key_in(file: Path) -> str:
    from runner.workers.standing import host_key_in

    try:
        return host_key_in(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        hint = "the file must hold what /etc/ssh/ssh_host_ed25519_key.pub holds on the instance"
        raise AskedWrongly(f"--host-key {file} cannot be read: {error}", hint=hint) from error
