"""Tell how large a standing fleet is, what it is made of and when it ends; refuse what EC2 would."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from contracts.errors import AskedWrongly
from contracts.infra import DaskCluster, Fleet, Requirements

MOST_POOLS = 300
"""Overrides that EC2 takes in one fleet (CreateFleet, FleetLaunchTemplateConfigRequest)."""
MOST_REQUIREMENTS = 4
"""Overrides with requirements that EC2 takes in one fleet: more are answered with InvalidParameterValue."""
MOST_MACHINES = 10_000
"""Target capacity of one fleet."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Where machines of a fleet may be: one type, or any type that fits, in the subnet of that number."""

    subnet: int
    instance_type: str | None = None


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """What a standing fleet of hosts and one of Dask workers share; `key` is the part of the event file that says so.

    Either `instance_types` or `requirements`. Prices are in US dollars an hour.
    """

    key: str
    kind: str
    instance_types: tuple[str, ...]
    requirements: Requirements | None
    spot: bool
    minimum: int
    target: int
    maximum: int
    on_demand_base: int
    allocation: str
    max_price_usd: float | None
    valid_until: datetime

    @property
    def is_legacy(self) -> bool:
        """Whether it is a SpotFleetRequest."""
        return self.kind == "spot-fleet-request"

    @property
    def on_demand(self) -> int:
        """How many of the first `target` machines are on demand."""
        return min(self.on_demand_base, self.target) if self.spot else self.target

    @property
    def ends_at(self) -> str:
        """The end as the provider reads it: RFC 3339, in UTC."""
        return self.valid_until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def max_price(self) -> str | None:
        """The price as EC2 reads it: a decimal number without exponent."""
        return None if self.max_price_usd is None else format(Decimal(str(self.max_price_usd)), "f")


def of_hosts(fleet: Fleet, host_types: tuple[str, ...]) -> FleetSettings:
    """Read `infra.fleet`; `host_types` are those of an event that names none for it."""
    return FleetSettings(
        key="infra.fleet",
        kind=fleet.kind,
        instance_types=fleet.instance_types or (() if fleet.requirements else host_types),
        requirements=fleet.requirements,
        spot=fleet.spot,
        minimum=fleet.min,
        target=fleet.target,
        maximum=fleet.max,
        on_demand_base=fleet.on_demand_base,
        allocation=fleet.allocation,
        max_price_usd=fleet.max_price_usd,
        valid_until=fleet.valid_until,
    )


def of_workers(dask: DaskCluster, host_types: tuple[str, ...]) -> FleetSettings:
    """Read the workers of `infra.dask`."""
    return FleetSettings(
        key="infra.dask",
        kind="ec2-fleet",
        instance_types=dask.worker_types or host_types,
        requirements=None,
        spot=dask.spot,
        minimum=dask.min,
        target=dask.target,
        maximum=dask.max,
        on_demand_base=dask.on_demand_base,
        allocation=dask.allocation,
        max_price_usd=dask.max_price_usd,
        valid_until=dask.valid_until,
    )


def pools(settings: FleetSettings, n_subnets: int) -> tuple[Pool, ...]:
    """Give where its machines may be; with requirements, in as many of the first subnets as EC2 takes.

    Raises AskedWrongly, with the key, for what costs other money than is meant, or what EC2 would refuse.
    """
    for problem, hint in _faults(settings, n_subnets):
        raise AskedWrongly(f"{settings.key}: {problem}", hint=hint)
    if settings.requirements is not None:
        return tuple(Pool(subnet) for subnet in range(min(n_subnets, MOST_REQUIREMENTS)))
    return tuple(Pool(subnet, each) for each in settings.instance_types for subnet in range(n_subnets))


def _faults(settings: FleetSettings, n_subnets: int) -> Iterator[tuple[str, str]]:
    key = settings.key
    if settings.minimum > settings.maximum:
        yield f"min is {settings.minimum}, more than max", f"write at most {settings.maximum} as {key}.min"
    if not settings.minimum <= settings.target <= settings.maximum:
        yield (
            f"target is {settings.target}, not between min and max",
            f"write {settings.minimum} to {settings.maximum} as {key}.target",
        )
    if settings.on_demand_base > settings.maximum:
        yield (
            f"on_demand_base is {settings.on_demand_base}, more than max",
            f"write at most {settings.maximum} as {key}.on_demand_base",
        )
    if settings.maximum > MOST_MACHINES:
        yield f"max is {settings.maximum}", f"write at most {MOST_MACHINES} as {key}.max, EC2's limit for one fleet"
    if bool(settings.instance_types) == (settings.requirements is not None):
        yield "a fleet needs either instance types or requirements", f"write one of the two in {key}"
    if settings.is_legacy and not settings.spot:
        yield "a SpotFleetRequest is for spot machines", f"write {key}.kind: ec2-fleet, or {key}.spot: true"
    if settings.max_price_usd is not None and not settings.spot:
        yield "a most for spot machines has no effect on others", f"remove {key}.max_price_usd"
    n_types = len(settings.instance_types)
    if n_types * n_subnets > MOST_POOLS:
        yield (
            f"{n_types} types in {n_subnets} subnets are {n_types * n_subnets} pairs, more than EC2 takes",
            f"name at most {MOST_POOLS // n_subnets} instance types for {key}",
        )
