"""Look for the event's instance types in the zones its machines would stand in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from contracts.findings import Finding, Level
from contracts.survey import BaseImage
from infra.preflight import machines
from infra.preflight.known import Known
from infra.preflight.machines import Machines, Place

_ABOUT = "instance types"


def look(known: Known) -> Iterator[Finding]:
    """Which types there are, and which are offered where."""
    names = machines.types_of(known.machines)
    unknown = [name for name in names if name not in known.types]
    if unknown:
        hint = "write another type: aws ec2 describe-instance-types --query 'InstanceTypes[].InstanceType'"
        yield Finding(Level.ERROR, _ABOUT, f"{known.event.region} has no type {', '.join(unknown)}", hint)
    yield from _zones_of_an_own_network(known)
    offered = known.survey.offers([name for name in names if name in known.types])
    for each in known.machines:
        if each.types:
            yield _offered(each, known.zones(each.place), offered)
        else:
            message = f"{each.purpose}: AWS chooses by infra.fleet.requirements; its choice was not looked at"
            yield Finding(Level.OK, _ABOUT, message)


def look_at_architectures(known: Known) -> Iterator[Finding]:
    """Whether the types can run the images; an image that is not to be found is told of elsewhere."""
    for each in known.machines:
        image = known.image(each.image)
        if image is not None:
            yield from _unable(each, image, known)


def _zones_of_an_own_network(known: Known) -> Iterator[Finding]:
    network = known.event.infra.network
    if network.vpc != "own":
        return
    found = len(known.zones(Place.HOSTS))
    if found < network.availability_zones:
        message = f"{known.event.region} has {found} availability zones, {network.availability_zones} are asked for"
        yield Finding(Level.ERROR, "network", message, f"write infra.network.availability_zones: {found}")


def _offered(each: Machines, zones: tuple[str, ...], offered: Mapping[str, frozenset[str]]) -> Finding:
    there = {name: [zone for zone in zones if zone in offered.get(name, ())] for name in each.types}
    lacking = [name for name in each.types if not there[name]]
    where = ", ".join(zones)
    if len(lacking) == len(each.types):
        hint = "write other types, or other zones"
        return Finding(Level.ERROR, _ABOUT, f"{each.purpose}: {', '.join(lacking)} not offered in {where}", hint)
    if lacking:
        message = f"{each.purpose}: {', '.join(lacking)} not offered in {where}; the others are taken"
        return Finding(Level.WARNING, _ABOUT, message)
    partly = [f"{name} in {', '.join(there[name])} alone" for name in each.types if len(there[name]) < len(zones)]
    more = f" ({'; '.join(partly)})" if partly else ""
    return Finding(Level.OK, _ABOUT, f"{each.purpose}: {', '.join(each.types)} offered in {where}{more}")


def _unable(each: Machines, image: BaseImage, known: Known) -> Iterator[Finding]:
    unable = [
        f"{name} ({', '.join(sorted(known.types[name].architectures))})"
        for name in each.types
        if name in known.types and image.architecture not in known.types[name].architectures
    ]
    if unable:
        message = f"{each.purpose}: {', '.join(unable)} cannot run {image.image_id}, which is {image.architecture}"
        hint = "write types of the image's architecture, or another image"
        yield Finding(Level.ERROR, _ABOUT, message, hint)
