"""Rent single machines of an event: to look at an image, or to make one."""

from __future__ import annotations

from contracts.errors import AskedWrongly
from contracts.event import EventConfig
from contracts.host_boot import HostKey
from contracts.stack import StackOutputs
from imagebuilder.renting import Place, Renting
from tasks import gateway, stack


def like_hosts(event: EventConfig) -> Renting:
    """Machines as the event's runs get them: same network, same group, no credentials.

    Raises AskedWrongly where neither the stack nor the event file says how they are reached.
    """
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for

    outputs, worker = stack.outputs_of(event), event.worker
    key_name = worker.key_name or (outputs.key_name if outputs else "")
    named = worker.security_group
    group = Ec2(session_for(event)).security_group_id(named) if named else outputs.security_group_id if outputs else ""
    if not key_name or not group:
        hint = f"deploy the stack: invoke up --event {event.name}, or set worker.key_name and worker.security_group"
        raise AskedWrongly(f"how hosts of {event.name} are reached is not known", hint=hint)
    place = Place(
        event=event.name,
        stack=outputs.stack if outputs else event.name,
        user=worker.ami_user_name,
        key_name=key_name,
        group_ids=(group,),
        subnet_ids=outputs.subnet_ids if outputs else (),
        launch_template_id=outputs.launch_template_id if outputs else "",
        boot_timeout_s=worker.boot_timeout_s,
    )
    return _renting(event, outputs, place)


def for_builds(event: EventConfig) -> Renting:
    """Machines that reach the network, as builds need it, and let SSH in as hosts do. Raises UnknownName."""
    outputs = stack.needed_outputs(event)
    place = Place(
        event=event.name,
        stack=outputs.stack,
        user=event.worker.ami_user_name,
        key_name=event.worker.key_name or outputs.key_name,
        group_ids=(outputs.security_group_id, outputs.builder_group_id),
        subnet_ids=(outputs.build_subnet_id,),
        launch_template_id=outputs.launch_template_id,
        boot_timeout_s=event.worker.boot_timeout_s,
    )
    return _renting(event, outputs, place)


def _renting(event: EventConfig, outputs: StackOutputs | None, place: Place) -> Renting:
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for
    from clients.keys import check_key_file, new_host_key
    from runner.app import dialler
    from runner.workers.aws import way_in

    check_key_file(event.key_path)
    way = way_in(event, outputs, gateway.ensure_known(event, outputs))
    return Renting(
        place,
        Ec2(session_for(event)),
        address_of=lambda instance, key: way.host(instance, user=place.user, host_key=key, key_path=event.key_path),
        connect=dialler(event),
        new_host_key=lambda: HostKey(*new_host_key()),
    )
