"""Run submissions on EC2 instances: settle what the event file and the stack each say about them."""

from __future__ import annotations

from contracts.errors import AskedWrongly
from contracts.event import EventConfig
from contracts.image import ImageReference
from contracts.stack import StackOutputs
from runner.hosts import LaunchSettings


def launch_settings(
    event: EventConfig, *, outputs: StackOutputs | None, image: ImageReference, security_group_id: str | None
) -> LaunchSettings:
    """Combine the event file with the stack's outputs; an explicit key of the event file wins.

    `security_group_id` is that of `worker.security_group`, where the event names one. Raises AskedWrongly when neither
    the stack nor the event file says how to reach a host.
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
        image_id=image.image_id,
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
    )
