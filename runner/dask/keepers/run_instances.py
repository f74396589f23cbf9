"""Write the call that launches one machine of a cluster from its launch template: pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KINDS = ("instance", "volume", "network-interface")
"""What a launch makes, and is tagged from its first moment on."""
NEXT_POOL_CODES = frozenset(
    {
        "InsufficientFreeAddressesInSubnet",
        "InsufficientHostCapacity",
        "InsufficientInstanceCapacity",
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "Unsupported",
        "VcpuLimitExceeded",
    }
)
"""Refusals for want of a machine in the pool that was asked: another type or subnet may have one."""


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a launch template, with its tags by the kind of what they are on."""

    template_id: str
    version: str
    tags: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Pool:
    """One instance type in one subnet."""

    instance_type: str
    subnet_id: str


@dataclass(frozen=True, slots=True)
class Market:
    """On demand, or spot for at most `max_price_usd` an hour, as EC2 writes it; empty for the on-demand price."""

    spot: bool = False
    max_price_usd: str = ""


def template_of(answer: Mapping[str, Any]) -> Template:
    """Read the one version that DescribeLaunchTemplateVersions gives."""
    (version,) = answer["LaunchTemplateVersions"]
    tags = {
        spec["ResourceType"]: {tag["Key"]: tag["Value"] for tag in spec.get("Tags", ())}
        for spec in version["LaunchTemplateData"].get("TagSpecifications", ())
    }
    return Template(version["LaunchTemplateId"], str(version["VersionNumber"]), tags)


def run_instances(
    template: Template, pool: Pool, market: Market, *, name: str, tags: Mapping[str, str], user_data: str = ""
) -> dict[str, Any]:
    """Give the parameters of RunInstances for one machine; all else that it is comes from the template.

    `name` is the machine's own, so that asking again never launches a second one. The template's tags are repeated:
    they hold whoever wins where both tell some. `user_data`, as plain text, replaces the template's.
    """
    parameters: dict[str, Any] = {
        "LaunchTemplate": {"LaunchTemplateId": template.template_id, "Version": template.version},
        "MinCount": 1,
        "MaxCount": 1,
        "InstanceType": pool.instance_type,
        "SubnetId": pool.subnet_id,
        "ClientToken": hashlib.sha256(f"{name}\n{pool}\n{market}".encode()).hexdigest(),
        "TagSpecifications": [
            {"ResourceType": kind, "Tags": _tag_list({**template.tags.get(kind, {}), **tags})} for kind in KINDS
        ],
    }
    if user_data:
        parameters["UserData"] = user_data
    if market.spot:
        options = {"SpotInstanceType": "one-time", "InstanceInterruptionBehavior": "terminate"}
        if market.max_price_usd:
            options["MaxPrice"] = market.max_price_usd
        parameters["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": options}
    return parameters


def _tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
