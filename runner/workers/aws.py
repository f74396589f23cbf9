"""Run submissions on EC2 instances: settle what the event file and the stack each say about them."""

from __future__ import annotations

from contracts.errors import AskedWrongly
from contracts.event import EventConfig
from contracts.infra import Access
from contracts.stack import StackOutputs
from contracts.work import HostAddress
from runner.hosts import LaunchSettings, WayIn


def launch_settings(
    event: EventConfig,
    *,
    outputs: StackOutputs | None,
    security_group_id: str | None,
    gateway_key: str = "",
) -> LaunchSettings:
    """Combine the event file with the stack's outputs; an explicit key of the event file wins.

    `security_group_id` is that of `worker.security_group`, where the event names one; `gateway_key` the gateway's host
    key. Raises AskedWrongly when neither the stack nor the event file says how to reach a host.
    """
    worker = event.worker
    key_name = worker.key_name or (outputs.key_name if outputs else "")
    group = security_group_id or (outputs.security_group_id if outputs else "")
    if not key_name or not group:
        missing = "worker.key_name" if not key_name else "worker.security_group"
        hint = f"deploy the stack: pulumi up --stack {event.name} (or invoke up --event {event.name}), or set {missing}"
        raise AskedWrongly(f"event {event.name} has no stack outputs and its file sets no {missing}", hint=hint)
    return LaunchSettings(
        stack=outputs.stack if outputs else event.name,
        event=event.name,
        problem=event.ramp.problem_name,
        instance_type=worker.instance_type,
        user=worker.ami_user_name,
        key_path=event.key_path,
        launch_template_id=outputs.launch_template_id if outputs else "",
        key_name=key_name,
        security_group_id=group,
        subnet_ids=outputs.subnet_ids if outputs else (),
        spot=worker.use_spot_instance,
        boot_timeout_s=worker.boot_timeout_s,
        remote_kit_folder=worker.remote_ramp_kit_folder,
        further_types=_further_types(event, outputs),
        way_in=way_in(event, outputs, gateway_key),
    )


def way_in(event: EventConfig, outputs: StackOutputs | None, gateway_key: str) -> WayIn:
    """Settle how the event's hosts are reached: as the stack was deployed. Raises AskedWrongly where it was not."""
    access = Access(outputs.access) if outputs else event.infra.access
    if access in (Access.PUBLIC, Access.INSIDE):
        return WayIn(access)
    if outputs is None:
        hint = f"deploy the stack: invoke up --event {event.name}"
        raise AskedWrongly(f"event {event.name} is reached by infra.access: {access}, which is not there", hint=hint)
    if access is Access.GATEWAY:
        return WayIn(access, gateway=_gateway(event, outputs, gateway_key))
    return WayIn(access, tunnel=_tunnel(event, outputs))


def _gateway(event: EventConfig, outputs: StackOutputs, host_key: str) -> HostAddress:
    """It lets in whoever has the key of the event's hosts."""
    return HostAddress(
        host_id=outputs.gateway_id,
        address=outputs.gateway_address,
        user=outputs.gateway_user,
        host_key=host_key,
        key_path=event.key_path,
    )


def _tunnel(event: EventConfig, outputs: StackOutputs) -> tuple[str, ...]:
    command = ["aws", "ec2-instance-connect", "open-tunnel", "--region", outputs.region]
    if event.worker.profile_name:
        command += ["--profile", event.worker.profile_name]
    if outputs.eice_id:
        command += ["--instance-connect-endpoint-id", outputs.eice_id]
    return tuple(command)


def _further_types(event: EventConfig, outputs: StackOutputs | None) -> tuple[str, ...]:
    """The stack's, as long as the event file has not been given others since."""
    own = event.infra.instance_types
    if own or outputs is None or event.worker.instance_type not in outputs.instance_types:
        return own
    return outputs.instance_types
