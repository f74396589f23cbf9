"""Read AWS's reference of which action knows which resources and conditions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parents[3] / "data" / "iam" / "authorization.json"


@dataclass(frozen=True)
class Action:
    """One action as the reference has it: the types it can be restricted to, which of them it needs, its conditions."""

    name: str
    types: Mapping[str, Mapping[str, Any]]
    keys: frozenset[str]

    @property
    def required(self) -> list[str]:
        return [name for name, one in self.types.items() if one["required"]]

    def keys_on(self, type_name: str) -> frozenset[str]:
        """Every condition that may be put on the action for a resource of that type."""
        service = self.name.partition(":")[0]
        known = reference()[service]["types"].get(type_name, {}).get("keys", [])
        return self.keys | {*self.types[type_name]["keys"], *known}

    def type_of(self, arn: str) -> str | None:
        """Which of its types an ARN with wildcards stands for."""
        return next((name for name in self.types if _is_of(arn, self._pattern(name))), None)

    def _pattern(self, type_name: str) -> str:
        pattern: str = reference()[self.name.partition(":")[0]]["types"][type_name]["arn"]
        return pattern


@cache
def reference() -> dict[str, Any]:
    """By service: its `types` and `actions`."""
    services: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))["services"]
    return services


def action(name: str) -> Action:
    """Look up one action; raises KeyError for one that is not in the file."""
    service, _, verb = name.partition(":")
    found = reference()[service]["actions"][verb]
    return Action(name, found["types"], frozenset(found["keys"]))


def granted(document: Mapping[str, Any]) -> Iterator[tuple[str, list[str] | str, frozenset[str]]]:
    """Every action of a document with its resources and the keys of its condition."""
    for statement in document["Statement"]:
        condition = statement.get("Condition", {})
        keys = frozenset(key.partition("/")[0] for test in condition.values() for key in test)
        for name in statement["Action"]:
            yield name, statement["Resource"], keys


def _is_of(arn: str, pattern: str) -> bool:
    """Whether the ARN is of the pattern's service and kind; the account is there or left out as there."""
    _, _, service, _, account, resource = arn.split(":", 5)
    _, _, wanted, _, wanted_account, wanted_resource = pattern.split(":", 5)
    if service != wanted or bool(account) != bool(wanted_account):
        return False
    if service == "s3":
        return ("/" in resource) == ("/" in wanted_resource)
    return resource.startswith(wanted_resource.partition("$")[0])
