"""The form in which the deployer is told how to make one type of resource."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from localcloud.deployer.connection import Connection


@dataclass(frozen=True, slots=True)
class Wanted:
    """A resource to make. `inputs` are named as Pulumi's providers name them, secrets in clear."""

    name: str
    region: str
    inputs: Mapping[str, Any]
    connection: Connection

    def client(self, service: str) -> Any:
        return self.connection.client(service, self.region)


@dataclass(frozen=True, slots=True)
class Made:
    """A resource that was made. `inputs` and `outputs` as they were then, secrets masked."""

    id: str
    region: str
    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    connection: Connection

    def client(self, service: str) -> Any:
        return self.connection.client(service, self.region)


@dataclass(frozen=True, slots=True)
class Created:
    """The id AWS gave, and the properties only AWS could tell."""

    id: str
    outputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Handler:
    """How one type of resource is made, found again and deleted.

    `probe` raises ClientError, or gives False, when the resource is gone. `name_input` is the property to which the
    provider gives a name of its own where the program gave none. A resource that `joins` others is what it joins:
    there cannot be two of them, so the old one goes before the new one comes.
    """

    create: Callable[[Wanted], Created]
    probe: Callable[[Made], Any]
    delete: Callable[[Made], Any]
    name_input: str | None = None
    joins: bool = False

    def named(self, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Give the inputs with a name of the provider's making where one is due, by the prefix that is asked for."""
        if self.name_input is None or self.name_input in inputs:
            return dict(inputs)
        prefix = inputs.get(f"{self.name_input}Prefix", f"{name}-")
        return {**inputs, self.name_input: f"{prefix}{secrets.token_hex(4)[:7]}"}

    def exists(self, made: Made) -> bool:
        """Tell whether the resource is still there."""
        try:
            return self.probe(made) is not False
        except ClientError as error:
            if means_gone(error):
                return False
            raise

    def remove(self, made: Made) -> None:
        """Delete the resource; one already gone is fine."""
        try:
            self.delete(made)
        except ClientError as error:
            if not means_gone(error):
                raise


def left_to_another(_made: Made) -> None:
    """Delete nothing: the resource goes with one it belongs to."""


@contextmanager
def or_undone(undo: Callable[[], Any]) -> Iterator[None]:
    """Undo the first step of a creation when a later one is refused, so that nothing is left that nobody remembers."""
    try:
        yield
    except ClientError:
        undo()
        raise


def means_gone(error: ClientError) -> bool:
    """Tell whether an error says that the thing asked for does not exist."""
    code = error.response.get("Error", {}).get("Code", "")
    return code.endswith(_GONE_ENDS) or code in _GONE


_GONE_ENDS = ("NotFound", "NotFoundException", ".NonExistentQueue")
_GONE = frozenset(
    {
        "404",  # of a HEAD request, whose answer has no body to name it
        "NoSuchBucket",
        "NoSuchBucketPolicy",
        "NoSuchEntity",
        "NoSuchKey",
        "NoSuchLifecycleConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "OwnershipControlsNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
    }
)
