"""Rent single machines of an event: to look at an image, or to make one."""

from __future__ import annotations

from contracts.event import EventConfig
from contracts.host_boot import HostKey
from imagebuilder.renting import Place, Renting
from runner.hosts import WayIn
from tasks import gateway, stack


def like_hosts(event: EventConfig) -> Renting:
    """Machines as the event's runs get them: same network, same group, no credentials.

    Raises AskedWrongly where neither the stack nor the event file says how they are reached.
    """
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for
    from runner.workers.aws import launch_settings

    outputs, named = stack.outputs_of(event), event.worker.security_group
    group = Ec2(session_for(event)).security_group_id(named) if named else None
    settings = launch_settings(
        event, outputs=outputs, security_group_id=group, gateway_key=gateway.ensure_known(event, outputs)
    )
    place = Place(
        event=settings.event,
        stack=settings.stack,
        user=settings.user,
        key_name=settings.key_name,
        group_ids=(settings.security_group_id,),
        subnet_ids=settings.subnet_ids,
        launch_template_id=settings.launch_template_id,
        boot_timeout_s=settings.boot_timeout_s,
    )
    return _renting(event, place, settings.way_in)


def for_builds(event: EventConfig) -> Renting:
    """Machines that reach the network, as builds need it, and let SSH in as hosts do. Raises UnknownName."""
    from runner.workers.aws import way_in

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
    return _renting(event, place, way_in(event, outputs, gateway.ensure_known(event, outputs)))


def _renting(event: EventConfig, place: Place, way: WayIn) -> Renting:
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for
    from clients.keys import check_key_file, new_host_key
    from runner.app import dialler

    check_key_file(event.key_path)
    return Renting(
        place,
        Ec2(session_for(event)),
        address_of=lambda instance, key: way.host(instance, user=place.user, host_key=key, key_path=event.key_path),
        connect=dialler(event),
        new_host_key=lambda: HostKey(*new_host_key()),
    )
