"""Say how much of a launch there is room for: capacity of the pool, quota of the account."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models import EC2Backend
from moto.ec2.responses.instances import InstanceResponse

from localcloud.aws_errors import Refusal, Refused
from localcloud.injections import Injections, Market, NoCapacity, Pool, Quota
from localcloud.moto_instances import template_data
from localcloud.moto_patches import Original, Patches

_QUOTA_CODES = {Market.SPOT: "MaxSpotInstanceCountExceeded", Market.ON_DEMAND: "VcpuLimitExceeded"}


@dataclass(frozen=True, slots=True)
class Room:
    """How many instances may be launched; `refusal` says why not more, where fewer than wanted."""

    count: int
    refusal: Refusal | None = None


class Limits:
    """What EC2 refuses although the call is right."""

    def __init__(self, injections: Injections) -> None:
        self._injections = injections
        self._one_at_a_time = threading.Lock()

    def install(self, patches: Patches) -> None:
        patches.wrap(InstanceResponse, "run_instances", self._run_instances)

    @contextmanager
    def launching(self, backend: EC2Backend, pool: Pool, wanted: int) -> Iterator[Room]:
        """The room for a launch. With a quota in force launches wait for one another, so that it is never passed."""
        with self._one_at_a_time if self._injections.of(Quota) else nullcontext():
            yield self._room(backend, pool, wanted)

    def _room(self, backend: EC2Backend, pool: Pool, wanted: int) -> Room:
        if self._injections.strike(NoCapacity, lambda fault: fault.concerns(pool)):
            message = f"We currently do not have sufficient {pool.instance_type} capacity in the subnet you requested."
            return Room(0, Refusal("500 Internal Server Error", "InsufficientInstanceCapacity", message))
        living = sum(_market(instance.lifecycle) == pool.market for instance in backend.all_running_instances())
        quota = self._injections.strike(
            Quota, lambda fault: fault.market == pool.market and living + wanted > fault.above
        )
        if quota is None:
            return Room(wanted)
        message = f"You have reached the limit of {quota.above} {pool.market} instances."
        return Room(max(0, quota.above - living), Refusal("400 Bad Request", _QUOTA_CODES[pool.market], message))

    def _run_instances(self, original: Original, response: InstanceResponse) -> ActionResult:
        """Launch as many as there is room for, of at least MinCount and at most MaxCount; moto knows MinCount only."""
        asked = response.params
        most = int(asked.get("MaxCount", 1))
        with self.launching(response.ec2_backend, _pool(response.ec2_backend, asked), most) as room:
            if room.refusal is not None and room.count < int(asked.get("MinCount", 1)):
                raise Refused(room.refusal)
            asked["MinCount"] = room.count
            result: ActionResult = original(response)
            return result


def _pool(backend: EC2Backend, asked: Mapping[str, Any]) -> Pool:
    template = template_data(backend, asked.get("LaunchTemplate"))
    interfaces = asked.get("NetworkInterfaces") or template.get("NetworkInterfaces") or [{}]
    options = asked.get("InstanceMarketOptions") or template.get("InstanceMarketOptions") or {}
    return Pool(
        asked.get("InstanceType") or template.get("InstanceType") or "m1.small",
        asked.get("SubnetId") or interfaces[0].get("SubnetId"),
        _market(options.get("MarketType")),
    )


def _market(name: str | None) -> Market:
    return Market.SPOT if name == "spot" else Market.ON_DEMAND
