"""Look for the images that the event's machines are made from."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.findings import Finding, Level
from contracts.infra import Access
from imagebuilder import catalogue
from infra import image_sources
from infra.preflight.known import Known

_TYPES = "instance types"


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


def look_at_driver(known: Known) -> Iterator[Finding]:
    """Whether hosts with a GPU get an image with its driver, and others one without."""
    event, wanted = known.event, catalogue.wants_gpu(known.event)
    types = [known.types[name] for name in event.host_types if name in known.types]
    if wanted and types and not any(each.has_nvidia_gpu for each in types):
        message = f"the image gets NVIDIA's driver, but no host has such a GPU: {', '.join(event.host_types)}"
        yield Finding(
            Level.WARNING, _TYPES, message, "write infra.image.gpu: false, or worker.instance_type: g4dn.xlarge"
        )
    for each in types:
        if each.has_nvidia_gpu and not wanted:
            hint = "write infra.image.gpu: true, unless infra.image.parent_image has a driver"
            yield Finding(Level.WARNING, _TYPES, f"{each.name} has an NVIDIA GPU, the image gets no driver", hint)


def look_at_key(known: Known) -> Iterator[Finding]:
    """The key that is to encrypt the image."""
    arn = known.event.infra.image.kms_key
    if arn is None:
        return
    key, hint = known.survey.key(arn), "write another infra.image.kms_key: aws kms list-keys"
    if key is None:
        yield Finding(Level.ERROR, "image key", f"there is no key {arn}", hint)
    elif key.state != "Enabled" or not key.encrypts:
        what = f"is {key.state}" if key.encrypts else "is not for encrypting data"
        yield Finding(Level.ERROR, "image key", f"{arn} {what}", hint)
    elif known.event.infra.image.share_with and not key.is_own:
        yield Finding(Level.ERROR, "image key", f"{arn} is one of AWS's own: nobody else can be let use it", hint)
    else:
        yield Finding(Level.OK, "image key", arn)


def look_elsewhere(known: Known) -> Iterator[Finding]:
    """The kit and the private data that builds read from buckets."""
    for address in image_sources.addresses_elsewhere(known.event):
        if known.survey.holds(address):
            yield Finding(Level.OK, "image sources", address)
        else:
            hint = "put it there, or write the address that it has: the build would end with an error"
            yield Finding(Level.ERROR, "image sources", f"there is nothing at {address}", hint)


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
