"""Answer for EC2 fleets: instant ones with an error for each pool that has no room, standing ones kept up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.fleets import Fleet
from moto.ec2.models.instances import Instance
from moto.ec2.responses.fleets import Fleets
from moto.ec2.utils import convert_tag_spec

from localcloud import fleet_offers
from localcloud.fleet_crews import ON_DEMAND, SPOT, Crew, Outcome, Owner
from localcloud.fleet_offers import Offer
from localcloud.limits import Limits
from localcloud.moto_patches import Original, Patches
from localcloud.standing_fleets import Keeper, Standing

_OPTIONS = {ON_DEMAND: "OnDemandOptions", SPOT: "SpotOptions"}
"""On-demand machines come first, as on EC2."""


class EC2Fleets:
    """CreateFleet, ModifyFleet, DeleteFleets."""

    def __init__(self, limits: Limits, keeper: Keeper) -> None:
        self._limits = limits
        self._keeper = keeper
        self._crews: dict[str, Crew] = {}
        self._standing: dict[str, Standing] = {}

    def install(self, patches: Patches) -> None:
        patches.wrap(Fleets, "create_fleet", self._create)
        patches.wrap(Fleets, "delete_fleets", self._delete)
        patches.put(Fleets, "modify_fleet", self._modify_call())
        patches.wrap(Instance, "terminate", self._terminate)
        patches.wrap(EC2Backend, "reset", self._reset)

    def _create(self, _original: Original, response: Fleets) -> ActionResult:
        response.error_on_dryrun()
        asked: Mapping[str, Any] = response.params
        backend: EC2Backend = response.ec2_backend
        kind = asked.get("Type", "maintain")
        offers = fleet_offers.read(backend, asked["LaunchTemplateConfigs"])
        fleet = _empty_fleet(backend, asked, kind)
        crew = self._crews[fleet.id] = Crew(_owner(fleet, asked), self._limits)
        by_market = {market: _in_order(offers, asked, market) for market in _OPTIONS}
        targets = fleet_offers.targets(asked["TargetCapacitySpecification"])
        if kind == "instant":
            outcome = _fill(crew, targets, by_market)
            _count(fleet, crew)
            return ActionResult({"FleetId": fleet.id, "Instances": outcome.launched, "Errors": outcome.errors})
        standing = self._standing[fleet.id] = Standing(
            crew,
            targets,
            by_market,
            until=as_moment(asked.get("ValidUntil")),
            ends_machines=is_true(asked.get("TerminateInstancesWithExpiration")),
            replaces=kind == "maintain",
            changed=lambda: _count(fleet, crew),
        )
        self._keeper.keep(standing)
        return ActionResult({"FleetId": fleet.id})

    def _modify_call(self) -> Any:
        """moto looks for functions among a response's members, and finds no bound method."""

        def modify_fleet(response: Fleets) -> ActionResult:
            response.error_on_dryrun()
            self._modify(response.ec2_backend, response.params)
            return ActionResult({"Return": True})

        return modify_fleet

    def _modify(self, backend: EC2Backend, asked: Mapping[str, Any]) -> None:
        fleet = backend.fleets.get(asked["FleetId"])
        standing = self._standing.get(asked["FleetId"])
        if fleet is None:
            raise EC2ClientError("InvalidFleetId.NotFound", f"The fleet {asked['FleetId']} does not exist")
        if standing is None or fleet.state != "active":
            wrong = f"The fleet {fleet.id} of the type {fleet.fleet_type} is {fleet.state} and cannot be modified"
            raise EC2ClientError("InvalidParameterValue", wrong)
        before = fleet.target_capacity_specification
        kept = {name: before[name] for name in ("DefaultTargetCapacityType",) if name in before}
        specification = {**kept, **asked.get("TargetCapacitySpecification", before)}
        policy = asked.get("ExcessCapacityTerminationPolicy") or fleet.excess_capacity_termination_policy
        with self._keeper.lock:
            fleet.target_capacity_specification = specification
            fleet.target_capacity = int(specification["TotalTargetCapacity"])
            fleet.excess_capacity_termination_policy = policy
            standing.targets = fleet_offers.targets(specification)
            if "LaunchTemplateConfigs" in asked:
                offers = fleet_offers.read(backend, asked["LaunchTemplateConfigs"])
                fleet.launch_template_configs = asked["LaunchTemplateConfigs"]
                standing.offers = {market: list(offers) for market in _OPTIONS}
            if policy == "termination":
                standing.shrink()
            standing.settle()

    def _delete(self, _original: Original, response: Fleets) -> ActionResult:
        response.error_on_dryrun()
        ends = is_true(response._get_param("TerminateInstances"))
        done: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        for fleet_id in response._get_param("FleetIds", []):
            fleet = response.ec2_backend.fleets.get(fleet_id)
            if fleet is None:
                why = {"Code": "fleetIdDoesNotExist", "Message": f"The fleet {fleet_id} does not exist"}
                refused.append({"FleetId": fleet_id, "Error": why})
                continue
            before = fleet.state
            self._end(fleet, ends_machines=ends)
            now = "deleted_terminating" if ends else "deleted_running"
            done.append({"FleetId": fleet_id, "CurrentFleetState": now, "PreviousFleetState": before})
        return ActionResult({"SuccessfulFleetDeletions": done, "UnsuccessfulFleetDeletions": refused})

    def _end(self, fleet: Fleet, *, ends_machines: bool) -> None:
        with self._keeper.lock:
            crew = self._crews[fleet.id]
            if (standing := self._standing.pop(fleet.id, None)) is not None:
                self._keeper.drop(standing, ends_machines=False)
            if ends_machines:
                for market in _OPTIONS:
                    crew.shrink(market, 0)
            fleet.target_capacity = 0
            fleet.state = "deleted_running" if crew.instances() else "deleted"
            _count(fleet, crew)

    def _terminate(self, original: Original, instance: Instance) -> Any:
        result = original(instance)
        self._keeper.wake()
        return result

    def _reset(self, original: Original, backend: EC2Backend) -> None:
        """`/moto-api/reset` forgets fleets: nothing is launched for them any more."""
        for fleet_id in backend.fleets:
            if (standing := self._standing.pop(fleet_id, None)) is not None:
                self._keeper.drop(standing, ends_machines=False)
        original(backend)


def _fill(crew: Crew, targets: Mapping[str, float], offers: Mapping[str, Sequence[Offer]]) -> Outcome:
    whole = Outcome()
    for market in _OPTIONS:
        part = crew.fill(market, targets[market], offers[market])
        whole.launched += part.launched
        whole.errors += part.errors
    return whole


def as_moment(given: Any) -> datetime | None:
    """A time of the request, which moto gives as it came or already read."""
    if given is None or isinstance(given, datetime):
        return given if given is None or given.tzinfo else given.replace(tzinfo=UTC)
    read = datetime.fromisoformat(str(given))
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def is_true(given: Any) -> bool:
    return str(given).lower() == "true"


def _in_order(offers: Sequence[Offer], asked: Mapping[str, Any], market: str) -> list[Offer]:
    return fleet_offers.ordered(offers, asked.get(_OPTIONS[market], {}).get("AllocationStrategy", ""))


def _owner(fleet: Fleet, asked: Mapping[str, Any]) -> Owner:
    """Only an instant fleet gives its machines tags: others' come from the template."""
    backend: EC2Backend = fleet.ec2_backend
    given = convert_tag_spec(asked.get("TagSpecifications", [])).get("instance", {})
    tags = given if fleet.fleet_type == "instant" else {}

    def joined(instance: Instance, market: str) -> None:
        if market == SPOT:
            fleet.spot_requests.append(backend.spot_instance_requests[instance.spot_instance_request_id])  # type: ignore[attr-defined]
        else:
            fleet.on_demand_instances.append({"id": None, "instance": instance})

    return Owner(backend, {**tags, "aws:ec2:fleet-id": fleet.id}, joined, fleet.id)


def _count(fleet: Fleet, crew: Crew) -> None:
    fleet.fulfilled_on_demand_capacity = crew.capacity(ON_DEMAND)
    fleet.fulfilled_spot_capacity = crew.capacity(SPOT)
    fleet.fulfilled_capacity = fleet.fulfilled_on_demand_capacity + fleet.fulfilled_spot_capacity


def _empty_fleet(backend: EC2Backend, asked: Mapping[str, Any], kind: str) -> Fleet:
    """moto's fleets launch while they are made: make one that wants nothing, and say afterwards what it wanted."""
    fleet: Fleet = backend.create_fleet(
        on_demand_options=asked.get("OnDemandOptions", {}),
        spot_options=asked.get("SpotOptions", {}),
        target_capacity_specification={"TotalTargetCapacity": 0},
        launch_template_configs=[],
        excess_capacity_termination_policy=asked.get("ExcessCapacityTerminationPolicy", ""),
        replace_unhealthy_instances=is_true(asked.get("ReplaceUnhealthyInstances")),
        terminate_instances_with_expiration=is_true(asked.get("TerminateInstancesWithExpiration")),
        fleet_type=kind,
        valid_from=as_moment(asked.get("ValidFrom")),
        valid_until=as_moment(asked.get("ValidUntil")),
        tag_specifications=asked.get("TagSpecifications", []),
    )
    fleet.target_capacity_specification = asked["TargetCapacitySpecification"]
    fleet.target_capacity = int(asked["TargetCapacitySpecification"]["TotalTargetCapacity"])
    fleet.launch_template_configs = asked["LaunchTemplateConfigs"]
    return fleet
