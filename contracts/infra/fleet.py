"""`infra.fleet`: machines that are kept up for the event, with an end."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from contracts.event_values import Count, InstanceType, Number, one_of
from contracts.infra.values import Dollars, Moment
from contracts.section import Section

ALLOCATIONS = ("price-capacity-optimized", "capacity-optimized", "diversified", "lowest-price")
"""How a fleet chooses among spot pools (CreateFleet's SpotAllocationStrategy; without the prioritized one, which needs
priorities)."""

Allocation = Annotated[
    Literal["price-capacity-optimized", "capacity-optimized", "diversified", "lowest-price"],
    BeforeValidator(one_of(*ALLOCATIONS)),
]


class Requirements(Section):
    """`infra.fleet.requirements`: what a machine must have, where no types are named."""

    vcpu_min: Count = Field(default=2, ge=1, le=1024, description="least number of vCPUs", examples=["4"])
    vcpu_max: Count | None = Field(default=None, ge=1, le=1024, description="most vCPUs", examples=["8"])
    memory_gib_min: Count = Field(default=4, ge=1, le=24576, description="least memory, in GiB", examples=["16"])
    memory_gib_max: Count | None = Field(
        default=None, ge=1, le=24576, description="most memory, in GiB", examples=["64"]
    )
    gpus_min: Count = Field(default=0, ge=0, le=16, description="least number of NVIDIA GPUs", examples=["1"])
    burstable: bool = Field(default=False, description="whether T types count, which slow down under load")


class Fleet(Section):
    """`infra.fleet`: a standing fleet. AWS replaces what dies in it, so it must have an end."""

    kind: Annotated[
        Literal["ec2-fleet", "spot-fleet-request"], BeforeValidator(one_of("ec2-fleet", "spot-fleet-request"))
    ] = Field(
        default="ec2-fleet",
        description="an EC2 Fleet, or the legacy SpotFleetRequest, which AWS no longer develops",
        examples=["spot-fleet-request"],
    )
    instance_types: tuple[InstanceType, ...] = Field(
        default=(),
        description="the types it may be made of, at most 40; default `worker.instance_type` and "
        "`infra.instance_types`, unless `requirements` are written",
        max_length=40,
        examples=["[c7i.large, c6i.large, m7i.large]"],
    )
    requirements: Requirements | None = Field(
        default=None, description="what a machine must have, instead of types by name; see below"
    )
    spot: bool = Field(
        default=True, description="spot machines beyond `on_demand_base`; `false`: all on demand", examples=["false"]
    )
    min: Count = Field(
        default=0,
        ge=0,
        le=1000,
        description="least number of machines that whoever sets the target goes down to",
        examples=["1"],
    )
    target: Count = Field(
        default=0,
        ge=0,
        le=1000,
        description="machines at the first `up`; every later `up` leaves the target alone, so that it can be changed "
        "while the event goes on",
        examples=["2"],
    )
    max: Count = Field(
        default=10, ge=1, le=1000, description="most machines, for whoever sets the target", examples=["20"]
    )
    on_demand_base: Count = Field(
        default=0, ge=0, le=1000, description="so many of them on demand, which are never taken back", examples=["1"]
    )
    allocation: Allocation = Field(
        default="price-capacity-optimized",
        description="how spot pools are chosen: " + ", ".join(f"`{choice}`" for choice in ALLOCATIONS),
        examples=["capacity-optimized"],
    )
    max_price_usd: Dollars | None = Field(
        default=None,
        description="most that a spot machine may cost, in US dollars an hour; AWS advises against it, since machines "
        "are then taken back more often",
        examples=["0.05"],
    )
    valid_until: Moment = Field(
        description="when the fleet ends with all its machines: the event's close", examples=['"2027-03-31T18:00:00Z"']
    )
    max_lifetime_s: Number = Field(
        default=86400,
        ge=600,
        le=2_592_000,
        description="a machine powers itself off at this age, in seconds",
        examples=["43200"],
    )
