"""Gather what an event's image is built from, before anything is declared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from contracts.event import EventConfig
from contracts.infra import S3Kit
from imagebuilder import catalogue, documents
from imagebuilder.kit_component import Upload

_BUCKET = "{bucket}"
_SECRET = re.compile(r"\{secret:([^{}]*)\}")
"""In a component parameter's value: what is known once bucket and secrets are there (`catalogue.Component`)."""


@dataclass(frozen=True)
class Sources:
    """Components in the order they run, what they find in the event's bucket, and the version of it all."""

    components: tuple[catalogue.Component, ...]
    uploads: tuple[Upload, ...]
    recipe_version: str

    @property
    def secrets(self) -> frozenset[str]:
        """Names of the event's secrets that any of it reads."""
        values = [value for each in self.components for value in each.parameters.values()]
        return frozenset().union(*map(secrets_in, values))

    @property
    def needs_bucket(self) -> bool:
        """Whether any of it is read from a bucket of the event's own."""
        return bool(self.uploads) or any(each.is_long or _names_bucket(each) for each in self.components)

    def reason_for_bucket(self) -> str:
        """Say what needs the bucket; empty where nothing does."""
        for each in self.components:
            if each.is_long:
                most = documents.MOST_INLINE_CHARACTERS
                return (
                    f"the image component {each.name} has {len(each.data)} characters: Image Builder takes a document "
                    f"of more than {most} from a bucket only"
                )
            if _names_bucket(each):
                return f"the image component {each.name} reads from the event's bucket"
        return "the kit is given to the image from a bucket" if self.uploads else ""


def of_event(event: EventConfig) -> Sources:
    """Read the kit's folder and the organiser's own documents, nothing else. Raises KitInvalid or AskedWrongly."""
    return Sources(catalogue.components(event), catalogue.uploads(event), catalogue.recipe_version(event))


def names_bucket(value: str) -> bool:
    """Whether a component parameter's value asks for the name of the event's bucket."""
    return _BUCKET in value


def secrets_in(value: str) -> frozenset[str]:
    """Name the event's secrets whose ARNs a component parameter's value asks for."""
    return frozenset(_SECRET.findall(value))


def filled(value: str, bucket: str, secret_arns: Mapping[str, str]) -> str:
    """Give a component parameter's value with what it asks for in its place."""
    return _SECRET.sub(lambda found: secret_arns[found[1]], value).replace(_BUCKET, bucket)


def addresses_elsewhere(event: EventConfig) -> tuple[str, ...]:
    """What builds read in buckets that are not the event's own: `s3://` addresses, those of folders ending in `/`."""
    image = event.infra.image
    kit = (image.kit.s3,) if isinstance(image.kit, S3Kit) else ()
    return (*kit, *((image.private_data.s3,) if image.private_data.s3 else ()))


def _names_bucket(component: catalogue.Component) -> bool:
    return any(names_bucket(value) for value in component.parameters.values())
