"""Look for the service-linked roles that AWS launches an event's machines with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.event import EventConfig
from contracts.findings import Finding, Level
from infra.preflight import machines
from infra.preflight.known import Known


@dataclass(frozen=True, slots=True)
class ServiceRole:
    """A role that one service of AWS takes, and nobody else."""

    name: str
    service: str


SPOT = ServiceRole("AWSServiceRoleForEC2Spot", "spot.amazonaws.com")
FLEET = ServiceRole("AWSServiceRoleForEC2Fleet", "ec2fleet.amazonaws.com")
SPOT_FLEET = ServiceRole("AWSServiceRoleForEC2SpotFleet", "spotfleet.amazonaws.com")
IMAGE_BUILDER = ServiceRole("AWSServiceRoleForImageBuilder", "imagebuilder.amazonaws.com")


def needed(event: EventConfig) -> tuple[ServiceRole, ...]:
    """The roles of everything the event may launch."""
    found = [IMAGE_BUILDER]
    fleet = event.infra.fleet
    is_legacy = fleet is not None and fleet.kind == "spot-fleet-request"
    # hosts come from a fleet too, an instant one
    if event.worker.worker_type == "aws" or event.infra.dask is not None or (fleet is not None and not is_legacy):
        found.append(FLEET)
    if machines.uses_spot(event):
        found.append(SPOT)
    if is_legacy:
        found.append(SPOT_FLEET)
    return tuple(found)


def look(known: Known) -> Iterator[Finding]:
    """One finding for each; AWS makes a missing one by itself where the caller may."""
    for role in needed(known.event):
        if known.survey.has_role(role.name):
            yield Finding(Level.OK, "roles", role.name)
        else:
            hint = f"once, by an administrator: aws iam create-service-linked-role --aws-service-name {role.service}"
            message = f"{role.name} is missing; AWS makes it with the first use, if your permissions include that"
            yield Finding(Level.WARNING, "roles", message, hint)
