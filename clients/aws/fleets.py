"""Change how many machines a standing fleet of EC2's has."""

from __future__ import annotations

from typing import Any

from clients.aws.session import client_of, translated
from contracts.errors import CloudError


class Ec2Fleet:
    """One EC2 fleet of the type `maintain`."""

    def __init__(self, session: Any, fleet_id: str) -> None:
        self._client = client_of(session, "ec2")
        self._fleet_id = fleet_id

    def target(self) -> int:
        """How many machines it is to have. Raises CloudError, also where it has ended."""
        with translated(f"look at the fleet {self._fleet_id}"):
            fleets = self._client.describe_fleets(FleetIds=[self._fleet_id])["Fleets"]
        state = fleets[0]["FleetState"] if fleets else "deleted"
        if state.startswith(("deleted", "failed")):
            hint = "it ends at valid_until of the event file; invoke up makes what is declared there"
            raise CloudError(f"the fleet {self._fleet_id} has ended", code="InvalidFleetId.NotFound", hint=hint)
        return int(fleets[0]["TargetCapacitySpecification"]["TotalTargetCapacity"])

    def resize(self, target: int, *, on_demand: int) -> None:
        """Have it launch up to `target` machines, the first `on_demand` of which are on demand. Raises CloudError.

        It ends none where it has more, and replaces none that ends then: whoever wants less ends the machines itself.
        """
        capacity = {
            "TotalTargetCapacity": target,
            "OnDemandTargetCapacity": on_demand,
            "SpotTargetCapacity": target - on_demand,
        }
        with translated(f"resize the fleet {self._fleet_id} to {target}"):
            self._client.modify_fleet(
                FleetId=self._fleet_id,
                TargetCapacitySpecification=capacity,
                ExcessCapacityTerminationPolicy="no-termination",
            )
