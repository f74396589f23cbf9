"""Translate between Pulumi's messages and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime import rpc

SECRET = "[secret]"  # noqa: S105 (what is shown in place of one)
UNKNOWN = "[known after up]"
"""What is shown of a value in a preview where only the deployment itself will tell."""


@dataclass(frozen=True, slots=True)
class Properties:
    """Property values in clear, and the names of those that are secret as a whole."""

    values: dict[str, Any]
    secrets: frozenset[str] = frozenset()

    def shown(self) -> dict[str, Any]:
        """Give the values with every secret masked, and every unknown named as such."""
        return {name: SECRET if name in self.secrets else _shown(value) for name, value in self.values.items()}


def read(message: Struct) -> Properties:
    """Unwrap a message; a secret anywhere inside a property makes the whole property one."""
    wrapped = rpc.deserialize_properties(message)
    secrets = frozenset(name for name, value in wrapped.items() if rpc.is_rpc_secret(value))
    return Properties({name: _whole(rpc.unwrap_rpc_secret(value)) for name, value in wrapped.items()}, secrets)


def write(properties: Properties) -> Struct:
    """Wrap values for an answer."""
    message = Struct()
    message.update(
        {
            name: rpc.wrap_rpc_secret(value) if name in properties.secrets else value
            for name, value in properties.values.items()
        }
    )
    return message


def _whole(value: Any) -> Any:
    """Make whole numbers integers again: on the wire every number is a float. What is unknown stays so."""
    if isinstance(value, pulumi.output.Unknown):
        return rpc.UNKNOWN
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _whole(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return value


def _shown(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _shown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_shown(inner) for inner in value]
    return UNKNOWN if value == rpc.UNKNOWN else value
