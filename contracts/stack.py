"""What a deployed stack tells the rest of the house; never a secret."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StackOutputs(BaseModel):
    """The exports of an event's Pulumi program, by the names `pulumi stack output` prints."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stack: str
    event: str
    region: str
    vpc_id: str
    subnet_ids: tuple[str, ...]
    security_group_id: str
    key_name: str
    launch_template_id: str
    image_pipeline_arn: str
    image_name: str
    """Base name of the event's AMIs; the full name is this, a space and the build date."""
