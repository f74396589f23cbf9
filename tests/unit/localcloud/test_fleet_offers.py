"""What a fleet is asked for, read without a cloud."""

from __future__ import annotations

from typing import Any

import pytest
from moto.ec2.exceptions import EC2ClientError

from localcloud import fleet_offers
from localcloud.fleet_offers import Offer

REGION = "eu-west-3"


@pytest.mark.parametrize(
    ("asked", "on_demand", "spot"),
    [
        ({"TotalTargetCapacity": 3}, 3, 0),
        ({"TotalTargetCapacity": "3", "DefaultTargetCapacityType": "spot"}, 0, 3),
        ({"TotalTargetCapacity": 3, "OnDemandTargetCapacity": 1, "DefaultTargetCapacityType": "spot"}, 1, 2),
        ({"TotalTargetCapacity": 3, "OnDemandTargetCapacity": 1, "SpotTargetCapacity": 2}, 1, 2),
        ({"TotalTargetCapacity": 0, "OnDemandTargetCapacity": 0, "SpotTargetCapacity": 0}, 0, 0),
    ],
)
def test_what_neither_market_is_said_of_is_of_the_default_one(asked: dict[str, Any], on_demand: int, spot: int) -> None:
    assert fleet_offers.targets(asked) == {"on-demand": on_demand, "spot": spot}


@pytest.mark.parametrize("strategy", ["prioritized", "capacity-optimized-prioritized", "capacityOptimizedPrioritized"])
def test_priorities_order_offers_in_either_spelling_of_the_strategy(strategy: str) -> None:
    offers = [_offer("a"), _offer("b", Priority=2.0), _offer("c", Priority=1.0)]

    assert [offer.instance_type for offer in fleet_offers.ordered(offers, strategy)] == ["c", "b", "a"]


@pytest.mark.parametrize("strategy", ["", "lowestPrice", "price-capacity-optimized"])
def test_other_strategies_leave_offers_as_they_are(strategy: str) -> None:
    offers = [_offer("b", Priority=2.0), _offer("a", Priority=1.0)]

    assert fleet_offers.ordered(offers, strategy) == offers


def _offer(name: str, **override: Any) -> Offer:
    return Offer({}, override, name, None)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ({"VCpuCount": {"Min": 2}, "MemoryMiB": {"Min": 4096}, "BurstablePerformance": "required"}, "t2.medium"),
        ({"VCpuCount": {"Min": 2}, "MemoryMiB": {"Min": 8192}, "AllowedInstanceTypes": ["m5.*"]}, "m5.large"),
        ({"VCpuCount": {"Min": 4, "Max": 8}, "MemoryMiB": {"Min": 16384}}, "m5.xlarge"),
        ({"AcceleratorCount": {"Min": 1}, "AcceleratorTypes": ["gpu"]}, "g4dn.xlarge"),
    ],
)
def test_the_smallest_type_that_meets_the_requirements_is_taken(wanted: dict[str, Any], chosen: str) -> None:
    assert fleet_offers.fitting_type(REGION, wanted) == chosen


def test_burstable_types_and_bare_metal_are_not_taken_unasked() -> None:
    assert not fleet_offers.fitting_type(REGION, {"VCpuCount": {"Min": 2}}).startswith("t")
    with pytest.raises(EC2ClientError, match="No instance type of eu-west-3 meets"):
        fleet_offers.fitting_type(REGION, {"AllowedInstanceTypes": ["*.metal"]})
