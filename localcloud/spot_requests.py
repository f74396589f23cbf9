"""Keep a spot request for every spot instance, as EC2 shows it from launch to end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from moto.ec2.models.instances import Instance
from moto.ec2.models.spot_requests import SpotInstanceRequest
from moto.ec2.utils import random_spot_request_id

from localcloud.moto_patches import Patches


class SpotRequest(SpotInstanceRequest):
    """The one-time request behind an instance that is there already."""

    def __init__(self, instance: Instance, tags: Mapping[str, str]) -> None:
        self._fulfilled_by = instance
        self._created_at = self.status_since = datetime.now(UTC)
        super().__init__(
            instance.ec2_backend,
            random_spot_request_id(),
            price="",
            image_id=instance.image_id,
            spot_instance_type="one-time",
            valid_from=None,
            valid_until=None,
            launch_group=None,
            availability_zone_group=None,
            key_name=instance.key_name or "",
            security_groups=[group.id for group in instance.security_groups],
            user_data=None,
            instance_type=instance.instance_type,
            placement=instance.availability_zone,
            kernel_id=None,
            ramdisk_id=None,
            monitoring_enabled=False,
            subnet_id=instance.subnet_id or "",
            tags={"spot-instances-request": dict(tags)},
            spot_fleet_id=None,
            instance_interruption_behaviour="terminate",
        )

    def launch_instance(self) -> Instance:
        return self._fulfilled_by

    @property
    def status(self) -> dict[str, Any]:
        return {**super().status, "UpdateTime": self.status_since}

    @property
    def create_time(self) -> str:
        return self._created_at.isoformat()


def install(patches: Patches) -> None:
    """Let requests be filtered by their status, as EC2 does."""
    patches.put(SpotInstanceRequest, "status_code", property(lambda request: request._status_code))


def open_for(instance: Instance, tags: Mapping[str, str]) -> SpotRequest:
    """Make the request of a new spot instance."""
    request = SpotRequest(instance, tags)
    instance.spot_instance_request_id = request.id  # type: ignore[attr-defined]
    instance.ec2_backend.spot_instance_requests[request.id] = request
    return request


def of(instance: Instance) -> list[SpotInstanceRequest]:
    """The requests that an instance fulfils: one, or none where it is not a spot instance."""
    requests = list(instance.ec2_backend.spot_instance_requests.values())
    return [request for request in requests if request.instance is instance]


def mark(instance: Instance, code: str, *, state: str | None = None) -> None:
    """Show in an instance's request what happens to it."""
    for request in of(instance):
        request._status_code = code
        request.state = state or request.state
        if isinstance(request, SpotRequest):
            request.status_since = datetime.now(UTC)
