"""A cloud of one shelf: resources that cost nothing, made by handlers that remember being asked."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from botocore.exceptions import ClientError

from localcloud.deployer.handler import Created, Handler, Made, Wanted


@dataclass
class Shelf:
    """What stands there by id, and every call in order."""

    things: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    """Names whose creation fails."""
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def create(self, wanted: Wanted) -> Created:
        if wanted.name in self.refused:
            raise _error("LimitExceeded")
        identity = f"{wanted.name}-{next(self.numbers)}"
        self.things[identity] = wanted.inputs
        self.calls.append(f"create {identity}")
        return Created(identity, {"shelf": "upper"})

    def probe(self, made: Made) -> bool:
        if made.id not in self.things:
            raise _error("Thing.NotFound")
        return True

    def delete(self, made: Made) -> None:
        self.calls.append(f"delete {made.id}")
        if self.things.pop(made.id, None) is None:
            raise _error("Thing.NotFound")

    def handlers(self) -> dict[str, Handler]:
        return {
            "test:index:Thing": Handler(self.create, self.probe, self.delete, name_input="title"),
            "test:index:Joint": Handler(self.create, self.probe, self.delete, joins=True),
        }


def _error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "the shelf says no"}}, "Operation")


class Thing(pulumi.CustomResource):
    """A resource of the shelf; `kind` is Thing or Joint."""

    title: pulumi.Output[str]
    shelf: pulumi.Output[str]

    def __init__(
        self, name: str, opts: pulumi.ResourceOptions | None = None, *, kind: str = "Thing", **inputs: Any
    ) -> None:
        super().__init__(f"test:index:{kind}", name, {"title": None, "shelf": None, **inputs}, opts)
