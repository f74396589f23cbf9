"""Make EC2's fleets: those of today, and the spot fleet requests they succeeded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.errors import CloudError
from localcloud.deployer.handler import Created, Handler, Made, Wanted
from localcloud.deployer.shapes import arn_of, chosen, pascal, tag_specifications

_OF_A_FLEET = (
    "excessCapacityTerminationPolicy",
    "onDemandOptions",
    "replaceUnhealthyInstances",
    "spotOptions",
    "targetCapacitySpecification",
    "terminateInstancesWithExpiration",
    "type",
    "validFrom",
    "validUntil",
)
_OF_A_REQUEST = (
    "allocationStrategy",
    "excessCapacityTerminationPolicy",
    "iamFleetRole",
    "onDemandAllocationStrategy",
    "onDemandTargetCapacity",
    "replaceUnhealthyInstances",
    "spotPrice",
    "targetCapacity",
    "terminateInstancesWithExpiration",
    "validFrom",
    "validUntil",
)


def _create_fleet(wanted: Wanted) -> Created:
    answer = wanted.client("ec2").create_fleet(
        LaunchTemplateConfigs=pascal(wanted.inputs["launchTemplateConfigs"]),
        TagSpecifications=tag_specifications(wanted, "fleet"),
        **chosen(wanted.inputs, *_OF_A_FLEET),
    )
    identity = answer["FleetId"]
    return Created(identity, {"arn": arn_of(wanted, "ec2", f"fleet/{identity}"), "fleetState": "active"})


def _find_fleet(made: Made) -> bool:
    found = made.client("ec2").describe_fleets(FleetIds=[made.id])["Fleets"]
    return any(not fleet["FleetState"].startswith("deleted") for fleet in found)


def _delete_fleet(made: Made) -> None:
    ends = bool(made.inputs.get("terminateInstances", False))
    answer = made.client("ec2").delete_fleets(FleetIds=[made.id], TerminateInstances=ends)
    _raise_for(answer["UnsuccessfulFleetDeletions"], made)


def _request(wanted: Wanted) -> Created:
    inputs = wanted.inputs
    config = {
        "Type": inputs.get("fleetType", "maintain"),
        "LaunchTemplateConfigs": [_config(each) for each in inputs["launchTemplateConfigs"]],
        "TagSpecifications": tag_specifications(wanted, "spot-fleet-request"),
        **chosen(inputs, *_OF_A_REQUEST, instanceInterruptionBehaviour="InstanceInterruptionBehavior"),
    }
    answer = wanted.client("ec2").request_spot_fleet(SpotFleetRequestConfig=config)
    identity = answer["SpotFleetRequestId"]
    return Created(identity, {"spotRequestState": "active"})


def _config(declared: Mapping[str, Any]) -> dict[str, Any]:
    """Spell the template as the API does, which the provider's own legacy resource does not."""
    template = chosen(
        declared["launchTemplateSpecification"], "version", id="LaunchTemplateId", name="LaunchTemplateName"
    )
    return {"LaunchTemplateSpecification": template, **chosen(declared, "overrides")}


def _find_request(made: Made) -> bool:
    found = made.client("ec2").describe_spot_fleet_requests(SpotFleetRequestIds=[made.id])["SpotFleetRequestConfigs"]
    return any(not request["SpotFleetRequestState"].startswith("cancelled") for request in found)


def _cancel(made: Made) -> None:
    ends = str(made.inputs.get("terminateInstancesOnDelete", made.inputs.get("terminateInstancesWithExpiration")))
    answer = made.client("ec2").cancel_spot_fleet_requests(
        SpotFleetRequestIds=[made.id], TerminateInstances=ends.lower() == "true"
    )
    _raise_for(answer.get("UnsuccessfulFleetRequests", []), made)


def _raise_for(failed: list[dict[str, Any]], made: Made) -> None:
    """A deletion that was refused is answered, not raised."""
    for each in failed:
        if not each["Error"]["Code"].endswith("NotFound") and "DoesNotExist" not in each["Error"]["Code"]:
            raise CloudError(f"could not delete {made.id}: {each['Error']['Message']}", code=each["Error"]["Code"])


HANDLERS = {
    "aws:ec2/fleet:Fleet": Handler(_create_fleet, _find_fleet, _delete_fleet),
    "aws:ec2/spotFleetRequest:SpotFleetRequest": Handler(_request, _find_request, _cancel),
}
