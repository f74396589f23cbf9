"""An account in memory, in which nothing stands in the way of an event until a test says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network
from typing import Any

from contracts.errors import CloudError
from contracts.findings import Finding
from contracts.infra.network import UBUNTU
from contracts.survey import BaseImage, Caller, EncryptionKey, MachineType, RouteTable, SpotPrice, Subnet, Vpc
from infra.preflight import preflight

NOW = datetime(2027, 1, 15, 12, tzinfo=UTC)
IMAGE = "ami-0abc1234def567890"
VPC = "vpc-0abc1234def567890"
ZONES = ("eu-west-3a", "eu-west-3b", "eu-west-3c")
_X86 = frozenset({"x86_64"})


def subnet(name: str, zone: str, *, gives_addresses: bool = True, is_default: bool = False, vpc: str = VPC) -> Subnet:
    return Subnet(name, vpc, zone, gives_addresses, is_default)


def _types() -> dict[str, MachineType]:
    sizes = {"t3.nano": 2, "t3.medium": 2, "c7i.large": 2, "c6i.large": 2, "m7i.large": 2, "c7i.4xlarge": 16}
    with_gpu = {"g4dn.xlarge": MachineType("g4dn.xlarge", 4, _X86, has_nvidia_gpu=True)}
    return {name: MachineType(name, vcpus, _X86) for name, vcpus in sizes.items()} | with_gpu


@dataclass
class Account:
    """Answers by its fields; `refused` names verbs that AWS will not answer. Counts what it is asked."""

    status: str = "opt-in-not-required"
    quotas: dict[str, float] = field(
        default_factory=lambda: {"L-1216C47A": 64.0, "L-34B43A08": 64.0, "L-DB2E81BA": 64.0}
    )
    types: dict[str, MachineType] = field(default_factory=_types)
    lacking: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Zones in which a type is not offered."""
    parameters: dict[str, str] = field(default_factory=lambda: {UBUNTU.removeprefix("ssm:"): IMAGE})
    images: dict[str, BaseImage] = field(
        default_factory=lambda: {IMAGE: BaseImage(IMAGE, "ubuntu 24.04", "x86_64", "available", 8)}
    )
    built: tuple[str, ...] = ()
    encryption: dict[str, EncryptionKey] = field(default_factory=dict)
    stored: tuple[str, ...] = ()
    """The `s3://` addresses at which there is something."""
    key_pairs: tuple[str, ...] = ()
    networks: tuple[Vpc, ...] = (Vpc("vpc-default", (IPv4Network("172.31.0.0/16"),), is_default=True),)
    parts: tuple[Subnet, ...] = ()
    tables: tuple[RouteTable, ...] = ()
    missing_roles: tuple[str, ...] = ()
    tag_status: str = "Active"
    spot: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Prices by type, one for each zone."""
    spot_age: timedelta = timedelta(hours=3)
    on_demand: dict[str, float] = field(default_factory=lambda: {"t3.medium": 0.04, "t3.nano": 0.005})
    zone_names: tuple[str, ...] = ZONES
    refused: dict[str, str] = field(default_factory=dict)
    """What AWS refuses to tell, with the error's code."""
    asked: Counter[str] = field(default_factory=Counter)

    def caller(self) -> Caller:
        self._ask("caller")
        return Caller("111122223333", "arn:aws:iam::111122223333:user/organiser")

    def region_status(self) -> str:
        self._ask("region_status")
        return self.status

    def zones(self) -> tuple[str, ...]:
        self._ask("zones")
        return self.zone_names

    def quota(self, code: str) -> float:
        self._ask("quota")
        return self.quotas[code]

    def machine_types(self, names: Collection[str]) -> Mapping[str, MachineType]:
        self._ask("machine_types")
        return {name: self.types[name] for name in names if name in self.types}

    def offers(self, names: Collection[str]) -> Mapping[str, frozenset[str]]:
        self._ask("offers")
        return {name: frozenset(ZONES) - {*self.lacking.get(name, ())} for name in names}

    def parameter(self, name: str) -> str | None:
        self._ask("parameter")
        return self.parameters.get(name)

    def image(self, image_id: str) -> BaseImage | None:
        self._ask("image")
        return self.images.get(image_id)

    def has_built_image(self, arn: str) -> bool:
        self._ask("has_built_image")
        return arn in self.built

    def key(self, arn: str) -> EncryptionKey | None:
        self._ask("key")
        return self.encryption.get(arn)

    def holds(self, address: str) -> bool:
        self._ask("holds")
        return address in self.stored

    def has_key_pair(self, name: str) -> bool:
        self._ask("has_key_pair")
        return name in self.key_pairs

    def vpcs(self) -> tuple[Vpc, ...]:
        self._ask("vpcs")
        return self.networks

    def subnets(self, vpc_id: str) -> tuple[Subnet, ...]:
        self._ask("subnets")
        return tuple(one for one in self.parts if one.vpc_id == vpc_id)

    def route_tables(self, vpc_id: str) -> tuple[RouteTable, ...]:
        self._ask("route_tables")
        return tuple(one for one in self.tables if one.vpc_id == vpc_id)

    def has_role(self, name: str) -> bool:
        self._ask("has_role")
        return name not in self.missing_roles

    def cost_tag_status(self, key: str) -> str:
        self._ask("cost_tag_status")
        assert key == "rampart:stack"
        return self.tag_status

    def spot_prices(self, names: Collection[str]) -> tuple[SpotPrice, ...]:
        self._ask("spot_prices")
        since = NOW - self.spot_age
        return tuple(
            SpotPrice(name, zone, usd, since)
            for name in names
            for zone, usd in zip(ZONES, self.spot.get(name, ()), strict=False)
        )

    def on_demand_prices(self, names: Collection[str]) -> Mapping[str, float]:
        self._ask("on_demand_prices")
        return {name: self.on_demand[name] for name in names if name in self.on_demand}

    def _ask(self, verb: str) -> None:
        self.asked[verb] += 1
        if verb in self.refused:
            raise CloudError(f"could not ask for {verb}", code=self.refused[verb], hint="ask for the permission")


def found(event: Any, account: Account | None = None) -> list[Finding]:
    """Everything preflight tells of the event in that account."""
    return preflight(event, account or Account(), now=NOW)


def about(event: Any, account: Account, subject: str) -> list[tuple[str, str]]:
    """Level and message of every finding about a subject."""
    return [(one.level.value, one.message) for one in found(event, account) if one.about == subject]
