"""Speak Image Builder's ARNs: versions, build numbers, wildcards."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localcloud.imagebuilder.refusals import invalid

ACCOUNT = "123456789012"
"""moto's account, so that one account owns everything in the local cloud."""

_ARN = re.compile(
    r"^arn:aws[^:]*:imagebuilder:(?P<region>[^:]+):(?P<owner>[^:]+):(?P<kind>[a-z-]+)/(?P<name>[a-z0-9_-]+)"
    r"(?:/(?P<version>[0-9x]+\.[0-9x]+\.[0-9x]+)(?:/(?P<build>[0-9]+))?)?$"
)
_NODE_LIMIT = 2**30 - 1


@dataclass(frozen=True, slots=True)
class Arn:
    """The parts of an ARN; `version` and `build` are None where it names none."""

    region: str
    owner: str
    kind: str
    name: str
    version: str | None = None
    build: int | None = None

    def __str__(self) -> str:
        parts = [f"arn:aws:imagebuilder:{self.region}:{self.owner}:{self.kind}", self.name]
        if self.version is not None:
            parts.append(self.version)
        if self.build is not None:
            parts.append(str(self.build))
        return "/".join(parts)


def read(text: str) -> Arn:
    """Take an ARN apart; raises Refusal for anything else."""
    found = _ARN.match(text)
    if found is None:
        raise invalid(f"'{text}' is not an Image Builder ARN.")
    version = found["version"]
    if version is not None:
        check_reference(version)
    build = int(found["build"]) if found["build"] else None
    return Arn(found["region"], found["owner"], found["kind"], found["name"], version, build)


def slug(name: str) -> str:
    """A resource's name as its ARN shows it."""
    return name.lower().replace(" ", "-")


def check_version(version: str) -> None:
    """Refuse a version one of whose nodes Image Builder cannot hold."""
    if any(int(node) > _NODE_LIMIT for node in version.split(".")):
        raise invalid(f"The value supplied for parameter 'semanticVersion' is not valid: {version}.")


def check_reference(version: str) -> None:
    """Refuse a wildcard version with a number after an `x`."""
    nodes = version.split(".")
    if "x" in nodes and set(nodes[nodes.index("x") :]) != {"x"}:
        raise invalid(f"The version '{version}' is not valid: after the first x every node must be x.")


def is_wildcard(version: str) -> bool:
    """Whether a version leaves a node open."""
    return "x" in version.split(".")


def matches(reference: str, version: str) -> bool:
    """Whether a version is one that a reference, possibly with wildcards, means."""
    return all(wanted in ("x", node) for wanted, node in zip(reference.split("."), version.split("."), strict=True))


def order(version: str) -> tuple[int, ...]:
    """Sort key of a version."""
    return tuple(int(node) for node in version.split("."))


def next_version(reference: str, taken: list[str]) -> str:
    """The version that a wildcard means at creation: one above the newest it matches."""
    nodes = reference.split(".")
    place = nodes.index("x")
    newest = max((order(version)[place] for version in taken if matches(reference, version)), default=-1)
    return ".".join([*nodes[:place], str(newest + 1), *["0"] * (2 - place)])
