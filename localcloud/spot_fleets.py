"""Answer for spot fleet requests made of launch templates, at which moto falls over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance
from moto.ec2.responses.spot_fleets import SpotFleets as SpotFleetCalls
from moto.ec2.utils import random_spot_fleet_request_id

from localcloud import fleet_offers
from localcloud.fleet_crews import ON_DEMAND, SPOT, Crew, Owner
from localcloud.fleets import as_moment, is_true
from localcloud.limits import Limits
from localcloud.moto_patches import Original, Patches
from localcloud.standing_fleets import Keeper, Standing

_STRATEGIES = {ON_DEMAND: "OnDemandAllocationStrategy", SPOT: "AllocationStrategy"}


@dataclass(slots=True)
class _Request:
    """One spot fleet request. `tags` are of the request itself: its machines have those of the template."""

    identity: str
    backend: EC2Backend
    config: dict[str, Any]
    tags: list[dict[str, str]]
    made_at: datetime
    crew: Crew
    standing: Standing
    state: str = "active"

    def shown(self) -> dict[str, Any]:
        amounts = {"FulfilledCapacity": self.crew.capacity(SPOT) + self.crew.capacity(ON_DEMAND)}
        amounts["OnDemandFulfilledCapacity"] = self.crew.capacity(ON_DEMAND)
        return {
            "ActivityStatus": "fulfilled" if self.standing.is_filled() else "pending_fulfillment",
            "CreateTime": self.made_at,
            "SpotFleetRequestConfig": {**self.config, **amounts},
            "SpotFleetRequestId": self.identity,
            "SpotFleetRequestState": self.state,
            "Tags": self.tags,
        }


class SpotFleets:
    """RequestSpotFleet, ModifySpotFleetRequest, CancelSpotFleetRequests; requests of the older form stay moto's."""

    def __init__(self, limits: Limits, keeper: Keeper) -> None:
        self._limits = limits
        self._keeper = keeper
        self._requests: dict[str, _Request] = {}

    def install(self, patches: Patches) -> None:
        patches.wrap(SpotFleetCalls, "request_spot_fleet", self._request)
        patches.wrap(SpotFleetCalls, "describe_spot_fleet_requests", self._describe)
        patches.wrap(SpotFleetCalls, "describe_spot_fleet_instances", self._describe_instances)
        patches.wrap(SpotFleetCalls, "modify_spot_fleet_request", self._modify)
        patches.wrap(SpotFleetCalls, "cancel_spot_fleet_requests", self._cancel)
        patches.wrap(EC2Backend, "reset", self._reset)

    def _request(self, original: Original, response: SpotFleetCalls) -> ActionResult:
        config: dict[str, Any] = response.params["SpotFleetRequestConfig"]
        if not config.get("LaunchTemplateConfigs"):
            result: ActionResult = original(response)
            return result
        response.error_on_dryrun()
        backend: EC2Backend = response.ec2_backend
        offers = fleet_offers.read(backend, config["LaunchTemplateConfigs"])
        identity = random_spot_fleet_request_id()
        owner = Owner(backend, {"aws:ec2spot:fleet-request-id": identity}, lambda _instance, _market: None)
        crew = Crew(owner, self._limits)
        standing = Standing(
            crew,
            _targets(config),
            {
                market: fleet_offers.ordered(offers, config.get(strategy, ""))
                for market, strategy in _STRATEGIES.items()
            },
            until=as_moment(config.get("ValidUntil")),
            ends_machines=is_true(config.get("TerminateInstancesWithExpiration")),
            replaces=config.get("Type", "maintain") == "maintain",
            changed=lambda: None,
        )
        self._requests[identity] = _Request(identity, backend, config, _tags(config), datetime.now(UTC), crew, standing)
        self._keeper.keep(standing)
        return ActionResult({"SpotFleetRequestId": identity})

    def _describe(self, original: Original, response: SpotFleetCalls) -> ActionResult:
        wanted = response._get_param("SpotFleetRequestIds", [])
        own = [request for request in self._of(response.ec2_backend) if not wanted or request.identity in wanted]
        older = original(response).result["SpotFleetRequestConfigs"]
        return ActionResult({"SpotFleetRequestConfigs": [*(request.shown() for request in own), *older]})

    def _describe_instances(self, original: Original, response: SpotFleetCalls) -> ActionResult:
        request = self._requests.get(response._get_param("SpotFleetRequestId"))
        if request is None:
            result: ActionResult = original(response)
            return result
        active = [_shown(instance) for instance in request.crew.instances()]
        return ActionResult({"SpotFleetRequestId": request.identity, "ActiveInstances": active})

    def _modify(self, original: Original, response: SpotFleetCalls) -> ActionResult:
        request = self._requests.get(response._get_param("SpotFleetRequestId"))
        if request is None:
            result: ActionResult = original(response)
            return result
        if request.state != "active":
            raise EC2ClientError("InvalidState", f"The spot fleet request {request.identity} is {request.state}")
        asked = response.params
        with self._keeper.lock:
            for name in ("TargetCapacity", "OnDemandTargetCapacity", "ExcessCapacityTerminationPolicy"):
                if asked.get(name) is not None:
                    request.config[name] = asked[name]
            request.standing.targets = _targets(request.config)
            if str(request.config.get("ExcessCapacityTerminationPolicy", "Default")).lower() == "default":
                request.standing.shrink()
            request.standing.settle()
        return ActionResult({"Return": True})

    def _cancel(self, original: Original, response: SpotFleetCalls) -> ActionResult:
        ends = is_true(response._get_param("TerminateInstances"))
        wanted: list[str] = response._get_param("SpotFleetRequestIds", [])
        older = [identity for identity in wanted if identity in response.ec2_backend.spot_fleet_requests]
        done: list[dict[str, Any]] = []
        refused: list[dict[str, Any]] = []
        for identity in set(wanted).difference(older):
            if identity not in self._requests:
                why = {"Code": "fleetRequestIdDoesNotExist", "Message": f"There is no request {identity}"}
                refused.append({"SpotFleetRequestId": identity, "Error": why})
                continue
            done.append(self._end(self._requests[identity], ends_machines=ends))
        if older:
            response.params["SpotFleetRequestIds"] = older
            done += original(response).result["SuccessfulFleetRequests"]
        return ActionResult({"SuccessfulFleetRequests": done, "UnsuccessfulFleetRequests": refused})

    def _end(self, request: _Request, *, ends_machines: bool) -> dict[str, Any]:
        before = request.state
        self._keeper.drop(request.standing, ends_machines=ends_machines)
        request.state = "cancelled_running" if request.crew.instances() else "cancelled"
        now = "cancelled_terminating" if ends_machines else "cancelled_running"
        return {
            "SpotFleetRequestId": request.identity,
            "CurrentSpotFleetRequestState": now,
            "PreviousSpotFleetRequestState": before,
        }

    def _of(self, backend: EC2Backend) -> list[_Request]:
        return [request for request in self._requests.values() if request.backend is backend]

    def _reset(self, original: Original, backend: EC2Backend) -> None:
        """`/moto-api/reset` forgets requests: nothing is launched for them any more."""
        for request in self._of(backend):
            del self._requests[request.identity]
            self._keeper.drop(request.standing, ends_machines=False)
        original(backend)


def _targets(config: Mapping[str, Any]) -> dict[str, float]:
    on_demand = float(config.get("OnDemandTargetCapacity") or 0)
    return {ON_DEMAND: on_demand, SPOT: float(config["TargetCapacity"]) - on_demand}


def _tags(config: Mapping[str, Any]) -> list[dict[str, str]]:
    specified = config.get("TagSpecifications", [])
    return [tag for each in specified if each["ResourceType"] == "spot-fleet-request" for tag in each["Tags"]]


def _shown(instance: Instance) -> dict[str, Any]:
    request = {"SpotInstanceRequestId": getattr(instance, "spot_instance_request_id", None)}
    return {
        "InstanceId": instance.id,
        "InstanceType": instance.instance_type,
        "InstanceHealth": "healthy",
        **{name: value for name, value in request.items() if value},
    }
