"""What a deployed stack tells the rest of the house; never a secret."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StackOutputs(BaseModel):
    """The exports of an event's Pulumi program, by the names `pulumi stack output` prints.

    What the event does not ask for is empty.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack: str
    event: str
    region: str

    vpc_id: str
    subnet_ids: tuple[str, ...]
    """The hosts'."""
    build_subnet_id: str
    """Where images are built and the gateway stands."""

    access: str
    """How hosts are reached, as `infra.access` says."""
    key_name: str
    security_group_id: str
    """The hosts' group."""
    server_group_id: str
    """The group of a dispatcher that runs in the VPC: give it to that machine."""
    builder_group_id: str
    gateway_id: str = ""
    """Instance id of the jump host."""
    gateway_address: str = ""
    gateway_user: str = ""
    eice_id: str = ""

    launch_template_id: str
    instance_types: tuple[str, ...]
    """What a host may be, the preferred type first."""
    image_pipeline_arn: str
    image_name: str
    """Base name of the event's AMIs; the full name is this, a space and the build date."""
    image_parameter: str
    """Name of the Systems Manager parameter with the id of the newest tested AMI."""
    image_log_group: str
    recipe_version: str = ""
    """The version of what the pipeline builds from; another one where the event file or the kit has changed since."""
    build_profile_name: str = ""
    """The instance profile of machines that build images; no other machine has one."""

    fleet_id: str = ""
    fleet_min: int = 0
    fleet_max: int = 0
    interruption_queue_url: str = ""
    """Spot notices and rebalance recommendations of the region come here, other events' too."""

    dask_scheduler_id: str = ""
    """Instance id of the scheduler's machine."""
    dask_scheduler_address: str = ""
    """Its private address; Dask listens there on port 8786, with TLS."""
    dask_worker_fleet_id: str = ""
    dask_scheduler_template_id: str = ""
    """With `worker.cluster: ec2` there is no such machine and no fleet: a loop launches them, from these templates."""
    dask_worker_template_id: str = ""
    dask_min: int = 0
    dask_max: int = 0
    dask_group_id: str = ""

    bucket: str = ""
    file_system_id: str = ""
    access_point_id: str = ""
    secret_arns: dict[str, str] = {}
    """ARN by name; an ARN tells nothing of the value."""
    budget_name: str = ""
    waits_for_image: tuple[str, ...] = ()
    """What the event asks for and gets with the next `up`, once there is an image: `fleet`, `dask`."""
