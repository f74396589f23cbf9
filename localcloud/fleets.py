"""Launch instant fleets pool by pool, with an error for each pool that has no room, as EC2 answers them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.fleets import Fleet
from moto.ec2.models.instances import Instance
from moto.ec2.responses.fleets import Fleets
from moto.ec2.utils import convert_tag_spec

from localcloud.aws_errors import Refusal
from localcloud.injections import Market, Pool
from localcloud.limits import Limits
from localcloud.moto_patches import Original, Patches

_PRIORITIZED = ("prioritized", "capacity-optimized-prioritized")


@dataclass(frozen=True, slots=True)
class _Offer:
    """One launch template version with one override: where the fleet may launch."""

    template: Mapping[str, Any]
    override: Mapping[str, Any]
    instance_type: str
    subnet_id: str | None

    @property
    def weight(self) -> float:
        return float(self.override.get("WeightedCapacity", 1))

    @property
    def priority(self) -> float:
        """The lower the number, the earlier; offers without one come last."""
        return float(self.override.get("Priority", math.inf))

    def named(self, market: str) -> dict[str, Any]:
        both = {"LaunchTemplateSpecification": dict(self.template), "Overrides": dict(self.override)}
        return {"LaunchTemplateAndOverrides": both, "Lifecycle": market}


@dataclass(slots=True)
class _Outcome:
    """What a fleet's call has come to."""

    launched: list[dict[str, Any]] = field(default_factory=list)
    errors: list[dict[str, Any]] = field(default_factory=list)


class InstantFleets:
    """CreateFleet of the type instant; other types stay moto's."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def install(self, patches: Patches) -> None:
        patches.wrap(Fleets, "create_fleet", self._create_fleet)
        patches.wrap(Fleet, "terminate_instances", _terminate_instances)

    def _create_fleet(self, original: Original, response: Fleets) -> ActionResult:
        if response._get_param("Type", "maintain") != "instant":
            result: ActionResult = original(response)
            return result
        response.error_on_dryrun()
        asked: Mapping[str, Any] = response.params
        backend: EC2Backend = response.ec2_backend
        offers = list(_offers(backend, asked["LaunchTemplateConfigs"]))
        fleet = _empty_fleet(backend, asked)
        tags = convert_tag_spec(asked.get("TagSpecifications", [])).get("instance", {})
        outcome = _Outcome()
        for market, capacity in _targets(asked["TargetCapacitySpecification"]):
            options = asked.get("SpotOptions" if market == "spot" else "OnDemandOptions", {})
            in_order = _ordered(offers, options.get("AllocationStrategy", ""))
            self._fill(fleet, market, capacity, in_order, tags, outcome)
        return ActionResult({"FleetId": fleet.id, "Instances": outcome.launched, "Errors": outcome.errors})

    def _fill(
        self,
        fleet: Fleet,
        market: str,
        capacity: float,
        offers: Sequence[_Offer],
        tags: Mapping[str, str],
        outcome: _Outcome,
    ) -> None:
        """Take all there is of the first offer, then of the next one, until the capacity is reached."""
        missing = capacity
        for offer in offers:
            if missing <= 0:
                return
            instances, refusal = self._launch(fleet, market, offer, math.ceil(missing / offer.weight), tags)
            if refusal is not None:
                why = {"ErrorCode": refusal.code, "ErrorMessage": refusal.message}
                outcome.errors.append({**offer.named(market), **why})
            if not instances:
                continue
            missing -= len(instances) * offer.weight
            fleet.fulfilled_capacity += len(instances) * offer.weight
            outcome.launched.append(
                {
                    **offer.named(market),
                    "InstanceIds": [instance.id for instance in instances],
                    "InstanceType": offer.instance_type,
                }
            )

    def _launch(
        self, fleet: Fleet, market: str, offer: _Offer, wanted: int, tags: Mapping[str, str]
    ) -> tuple[list[Instance], Refusal | None]:
        """As many as there is room for, and why not more."""
        pool = Pool(offer.instance_type, offer.subnet_id, Market(market))
        with self._limits.launching(fleet.ec2_backend, pool, wanted) as room:
            try:
                return (_launch(fleet, market, offer, room.count, tags) if room.count else []), room.refusal
            except EC2ClientError as error:
                return [], Refusal("400 Bad Request", error.code, error.message)


def _offers(backend: EC2Backend, configs: Sequence[Mapping[str, Any]]) -> Iterator[_Offer]:
    for config in configs:
        asked = config["LaunchTemplateSpecification"]
        if "LaunchTemplateId" in asked:
            template = backend.get_launch_template(asked["LaunchTemplateId"])
        else:
            template = backend.get_launch_template_by_name(asked["LaunchTemplateName"])
        version = template.get_version(asked.get("Version", "$Default"))
        named = {"LaunchTemplateId": template.id, "Version": str(version.number)}
        for override in config.get("Overrides") or [{}]:
            yield _Offer(
                named,
                override,
                override.get("InstanceType") or version.data.get("InstanceType", ""),
                override.get("SubnetId"),
            )


def _ordered(offers: Sequence[_Offer], strategy: str) -> list[_Offer]:
    """By priority where the strategy says so, else as given: all pools cost the same here."""
    if strategy in _PRIORITIZED:
        return sorted(offers, key=lambda offer: offer.priority)
    return list(offers)


def _targets(asked: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """How much of each market; what neither is said of is of the default one."""
    wanted = {"on-demand": int(asked.get("OnDemandTargetCapacity", 0)), "spot": int(asked.get("SpotTargetCapacity", 0))}
    rest = int(asked["TotalTargetCapacity"]) - sum(wanted.values())
    wanted[asked.get("DefaultTargetCapacityType", "on-demand")] += max(rest, 0)
    yield from wanted.items()


def _empty_fleet(backend: EC2Backend, asked: Mapping[str, Any]) -> Fleet:
    """moto's fleets launch while they are made: make one that wants nothing, and say afterwards what it wanted."""
    fleet: Fleet = backend.create_fleet(
        on_demand_options=asked.get("OnDemandOptions", {}),
        spot_options=asked.get("SpotOptions", {}),
        target_capacity_specification={"TotalTargetCapacity": 0},
        launch_template_configs=[],
        excess_capacity_termination_policy=asked.get("ExcessCapacityTerminationPolicy", ""),
        replace_unhealthy_instances=False,
        terminate_instances_with_expiration=False,
        fleet_type="instant",
        valid_from=None,
        valid_until=None,
        tag_specifications=asked.get("TagSpecifications", []),
    )
    fleet.target_capacity_specification = asked["TargetCapacitySpecification"]
    fleet.target_capacity = int(asked["TargetCapacitySpecification"]["TotalTargetCapacity"])
    fleet.launch_template_configs = asked["LaunchTemplateConfigs"]
    return fleet


def _launch(fleet: Fleet, market: str, offer: _Offer, count: int, tags: Mapping[str, str]) -> list[Instance]:
    backend: EC2Backend = fleet.ec2_backend
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
        instance_market_options="spot" if market == "spot" else None,
        fleet_id=fleet.id,
        tags={"instance": {**tags, "aws:ec2:fleet-id": fleet.id}},
    )
    for instance in reservation.instances:
        if market == "spot":
            fleet.spot_requests.append(backend.spot_instance_requests[instance.spot_instance_request_id])  # type: ignore[attr-defined]
        else:
            fleet.on_demand_instances.append({"id": None, "instance": instance})
    return reservation.instances


def _terminate_instances(original: Original, fleet: Fleet) -> None:
    """moto refuses to delete a fleet whose instances have all ended."""
    if fleet.fleet_type != "instant":
        original(fleet)
        return
    of_fleet = [request.instance for request in fleet.spot_requests]
    of_fleet += [entry["instance"] for entry in fleet.on_demand_instances]
    if living := [instance.id for instance in of_fleet if instance.state != "terminated"]:
        fleet.ec2_backend.terminate_instances(living)
