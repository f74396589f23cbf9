"""Look for the images that the event's machines are made from."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.findings import Finding, Level
from contracts.infra import Access
from infra.preflight.known import Known


def look_at_parent(known: Known) -> Iterator[Finding]:
    """What the event's image is made from."""
    image = known.event.infra.image
    if not image.parent_image.startswith("arn:"):
        yield _ami(known, "parent image", image.parent_image, "infra.image.parent_image", image.volume_gib)
    elif known.survey.has_built_image(image.parent_image):
        yield Finding(Level.OK, "parent image", f"{image.parent_image}; its architecture was not looked at")
    else:
        hint = "aws imagebuilder list-images --owner Amazon; x.x.x stands for the newest version"
        yield Finding(Level.WARNING, "parent image", f"Image Builder does not know {image.parent_image}", hint)


def look_at_hosts(known: Known) -> Iterator[Finding]:
    """The image that the event names for its hosts, instead of one that is built."""
    named = known.event.worker.ami_image_id
    if named:
        disk = max(known.event.infra.volume_gib, known.event.infra.image.volume_gib)
        yield _ami(known, "hosts' image", named, "worker.ami_image_id", disk)


def look_at_gateway(known: Known) -> Iterator[Finding]:
    """The jump host's image."""
    if known.event.infra.access is Access.GATEWAY:
        yield _ami(known, "gateway image", known.event.infra.gateway.image, "infra.gateway.image", None)


def _ami(known: Known, about: str, reference: str, key: str, disk_gib: int | None) -> Finding:
    image = known.image(reference)
    if image is None:
        message = f"{reference} is no image in {known.event.region} that this account may use"
        return Finding(Level.ERROR, about, message, f"write another {key}: an AMI belongs to one region")
    said = f"{image.image_id} ({image.name}), {image.architecture}"
    if image.state != "available":
        return Finding(Level.ERROR, about, f"{said} is {image.state}", f"write another {key}")
    if disk_gib is not None and image.root_gib > disk_gib:
        message = f"{said} has a disk of {image.root_gib} GiB, more than the {disk_gib} GiB it is to fit on"
        return Finding(Level.ERROR, about, message, f"write infra.image.volume_gib: {image.root_gib}")
    return Finding(Level.OK, about, said)
