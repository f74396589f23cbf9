"""Launch the machines of a fleet pool by pool; end the newest when there are too many."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance

from localcloud.aws_errors import Refusal
from localcloud.fleet_offers import Offer
from localcloud.injections import Market, Pool
from localcloud.limits import Limits

ON_DEMAND, SPOT = "on-demand", "spot"


@dataclass(slots=True)
class Outcome:
    """What launching has come to, as CreateFleet answers it."""

    launched: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Owner:
    """The fleet that machines are launched for. `tags` are those of the launch; `joined` is told of each machine."""

    backend: EC2Backend
    tags: Mapping[str, str]
    joined: Callable[[Instance, str], None]
    fleet_id: str | None = None
    """For moto's own record of EC2 fleets."""


@dataclass(frozen=True, slots=True)
class _Member:
    instance: Instance
    market: str
    weight: float


class Crew:
    """The machines of one fleet, in the order they came."""

    def __init__(self, owner: Owner, limits: Limits) -> None:
        self._owner = owner
        self._limits = limits
        self._members: list[_Member] = []

    def capacity(self, market: str) -> float:
        """What the living machines of a market amount to."""
        return sum(member.weight for member in self._living(market))

    def instances(self) -> list[Instance]:
        """The living machines."""
        return [member.instance for market in (ON_DEMAND, SPOT) for member in self._living(market)]

    def fill(self, market: str, target: float, offers: Sequence[Offer]) -> Outcome:
        """Take all there is of the first offer, then of the next one, until the target is reached."""
        outcome = Outcome()
        for offer in offers:
            missing = target - self.capacity(market)
            if missing <= 0:
                break
            instances, refusal = self._launch(market, offer, math.ceil(missing / offer.weight))
            if refusal is not None:
                why = {"ErrorCode": refusal.code, "ErrorMessage": refusal.message}
                outcome.errors.append({**offer.named(market), **why})
            if instances:
                names = {"InstanceIds": [each.id for each in instances], "InstanceType": offer.instance_type}
                outcome.launched.append({**offer.named(market), **names})
        return outcome

    def shrink(self, market: str, target: float) -> None:
        """End the newest machines that are not needed for the target."""
        surplus = self.capacity(market) - target
        ended: list[str] = []
        for member in reversed(self._living(market)):
            if member.weight <= surplus:
                surplus -= member.weight
                ended.append(member.instance.id)
        if ended:
            self._owner.backend.terminate_instances(ended)

    def _living(self, market: str) -> list[_Member]:
        self._members = [member for member in self._members if member.instance.state != "terminated"]
        return [member for member in self._members if member.market == market]

    def _launch(self, market: str, offer: Offer, wanted: int) -> tuple[list[Instance], Refusal | None]:
        """As many as there is room for, and why not more."""
        pool = Pool(offer.instance_type, offer.subnet_id, Market(market))
        with self._limits.launching(self._owner.backend, pool, wanted) as room:
            if not room.count:
                return [], room.refusal
            try:
                return self._run(market, offer, room.count), room.refusal
            except EC2ClientError as error:
                return [], Refusal("400 Bad Request", error.code, error.message)

    def _run(self, market: str, offer: Offer, count: int) -> list[Instance]:
        backend = self._owner.backend
        reservation = backend.run_instances(
            offer.override.get("ImageId", ""),
            count,
            None,
            [],
            region_name=backend.region_name,
            instance_type=offer.instance_type,
            is_instance_type_default=False,
            subnet_id=offer.subnet_id,
            placement=offer.override.get("AvailabilityZone"),
            associate_public_ip=None,  # as the subnet says
            launch_template=dict(offer.template),
            instance_market_options="spot" if market == SPOT else None,
            fleet_id=self._owner.fleet_id,
            tags={"instance": dict(self._owner.tags)},
        )
        for instance in reservation.instances:
            self._members.append(_Member(instance, market, offer.weight))
            self._owner.joined(instance, market)
        return reservation.instances
