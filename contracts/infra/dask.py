"""`infra.dask`: a Dask cluster of the event's own."""

from __future__ import annotations

from pydantic import Field

from contracts.event_values import Count, InstanceType, Number
from contracts.infra.fleet import Allocation
from contracts.infra.values import Dollars, Moment
from contracts.section import Section


class DaskCluster(Section):
    """`infra.dask`: a scheduler on demand and a fleet of workers, from the event's image, with TLS between them."""

    scheduler_type: InstanceType = Field(
        default="t3.medium", description="type of the scheduler's machine", examples=["m7i.large"]
    )
    worker_types: tuple[InstanceType, ...] = Field(
        default=(),
        description="types of the workers' machines; default `worker.instance_type` and `infra.instance_types`",
        max_length=40,
        examples=["[c7i.large, c6i.large]"],
    )
    spot: bool = Field(default=True, description="workers on spot machines beyond `on_demand_base`", examples=["false"])
    min: Count = Field(default=0, ge=0, le=1000, description="least number of workers", examples=["1"])
    target: Count = Field(
        default=0,
        ge=0,
        le=1000,
        description="workers at the first `up`; every later `up` leaves their number alone",
        examples=["2"],
    )
    max: Count = Field(default=10, ge=1, le=1000, description="most workers", examples=["20"])
    on_demand_base: Count = Field(
        default=0, ge=0, le=1000, description="so many workers on demand, which are never taken back", examples=["1"]
    )
    allocation: Allocation = Field(
        default="price-capacity-optimized", description="how spot pools are chosen, as in `infra.fleet`"
    )
    max_price_usd: Dollars | None = Field(
        default=None, description="most that a spot worker may cost, in US dollars an hour", examples=["0.05"]
    )
    valid_until: Moment = Field(
        description="when the workers end: the event's close", examples=['"2027-03-31T18:00:00Z"']
    )
    max_lifetime_s: Number = Field(
        default=86400,
        ge=600,
        le=2_592_000,
        description="scheduler and workers power themselves off at this age, in seconds; a worker is replaced, the "
        "scheduler comes back with the next `up`",
        examples=["43200"],
    )
    insecure: bool = Field(
        default=False,
        description="without TLS: whoever reaches the scheduler's port runs programs on every worker; there is a "
        "warning at each start",
        examples=["true"],
    )
