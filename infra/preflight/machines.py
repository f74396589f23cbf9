"""Tell which machines an event may have up at a time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contracts.event import EventConfig
from contracts.infra import Access, DaskCluster, Fleet


class Place(StrEnum):
    """In which of the event's subnets a machine stands."""

    HOSTS = "the hosts' subnets"
    FIRST = "the first of the hosts' subnets"
    BUILD = "the build subnet"


@dataclass(frozen=True, slots=True)
class Machines:
    """As many machines of one purpose as there may be, on demand and on spot.

    Any of `types` may be taken; there is none where AWS chooses by requirements. `most_vcpus` bounds what it chooses,
    where that is known. `image` is the AMI or parameter they are made from.
    """

    purpose: str
    types: tuple[str, ...]
    on_demand: int
    spot: int
    place: Place
    image: str
    most_vcpus: int | None = None


def of_event(event: EventConfig) -> tuple[Machines, ...]:
    """Every kind of machine that the event may launch. The sum is a bound: a fleet may serve instead of own hosts."""
    infra = event.infra
    own_image = event.worker.ami_image_id or infra.image.parent_image
    found: list[Machines] = []
    if event.worker.worker_type == "aws":
        count, is_spot = event.dispatcher.n_workers, event.worker.use_spot_instance
        counts = {"on_demand": 0 if is_spot else count, "spot": count if is_spot else 0}
        found.append(Machines("hosts", event.host_types, place=Place.HOSTS, image=own_image, **counts))
    if infra.fleet is not None:
        on_demand, spot = _divided(infra.fleet)
        requirements = infra.fleet.requirements
        types = () if requirements else infra.fleet.instance_types or event.host_types
        # with GPUs they count against a quota of their own, nobody knows which
        most = requirements.vcpu_max if requirements and not requirements.gpus_min else None
        found.append(Machines("fleet", types, on_demand, spot, Place.HOSTS, own_image, most))
    if infra.dask is not None:
        on_demand, spot = _divided(infra.dask)
        types = infra.dask.worker_types or event.host_types
        found.append(Machines("Dask workers", types, on_demand, spot, Place.HOSTS, own_image))
        found.append(Machines("Dask scheduler", (infra.dask.scheduler_type,), 1, 0, Place.FIRST, own_image))
    if infra.access is Access.GATEWAY:
        gateway = infra.gateway
        found.append(Machines("gateway", (gateway.instance_type,), 1, 0, Place.BUILD, gateway.image))
    # the builder is gone before the instance that tests its image starts
    build = infra.image
    found.append(Machines("image build", (build.instance_type,), 1, 0, Place.BUILD, build.parent_image))
    return tuple(found)


def types_of(machines: tuple[Machines, ...]) -> tuple[str, ...]:
    """Every instance type of any of them, once."""
    return tuple(dict.fromkeys(name for each in machines for name in each.types))


def uses_spot(event: EventConfig) -> bool:
    """Whether any machine of the event is a spot machine."""
    return any(each.spot for each in of_event(event))


def _divided(settings: Fleet | DaskCluster) -> tuple[int, int]:
    """How many machines are on demand, and how many on spot, when all are up."""
    if not settings.spot:
        return settings.max, 0
    on_demand = min(settings.on_demand_base, settings.max)
    return on_demand, settings.max - on_demand
