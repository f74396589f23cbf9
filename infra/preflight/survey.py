"""What preflight needs to know of an AWS account: one read-only question for each verb."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from contracts.survey import BaseImage, Caller, EncryptionKey, MachineType, RouteTable, SpotPrice, Subnet, Vpc


class Survey(Protocol):
    """The account in the event's region. Every verb raises CloudError where AWS refuses to tell."""

    def caller(self) -> Caller:
        """Whom AWS takes us for."""
        ...

    def region_status(self) -> str:
        """`opt-in-not-required`, `opted-in`, `not-opted-in`; empty where AWS has no such region."""
        ...

    def zones(self) -> tuple[str, ...]:
        """The availability zones, by name; local and wavelength zones aside."""
        ...

    def quota(self, code: str) -> float:
        """The value of one of EC2's quotas."""
        ...

    def machine_types(self, names: Collection[str]) -> Mapping[str, MachineType]:
        """Those of the named instance types that the region has."""
        ...

    def offers(self, names: Collection[str]) -> Mapping[str, frozenset[str]]:
        """The zones in which each of the named instance types is offered."""
        ...

    def parameter(self, name: str) -> str | None:
        """The value of a Systems Manager parameter; None where there is none of that name."""
        ...

    def image(self, image_id: str) -> BaseImage | None:
        """A machine image, whoever's it is; None where there is none of that id that we may use."""
        ...

    def has_built_image(self, arn: str) -> bool:
        """Whether Image Builder knows an image by that ARN."""
        ...

    def key(self, arn: str) -> EncryptionKey | None:
        """A key of KMS; None where there is none of that ARN."""
        ...

    def holds(self, address: str) -> bool:
        """Whether anything is stored at an `s3://` address: the object, or below a folder that ends in `/`."""
        ...

    def has_key_pair(self, name: str) -> bool:
        """Whether the region has a key pair of that name."""
        ...

    def vpcs(self) -> tuple[Vpc, ...]:
        """Every VPC of the region."""
        ...

    def subnets(self, vpc_id: str) -> tuple[Subnet, ...]:
        """The subnets of a VPC."""
        ...

    def route_tables(self, vpc_id: str) -> tuple[RouteTable, ...]:
        """The route tables of a VPC."""
        ...

    def has_role(self, name: str) -> bool:
        """Whether the account has a role of that name."""
        ...

    def cost_tag_status(self, key: str) -> str:
        """`Active` or `Inactive`; empty where billing has not seen the tag yet."""
        ...

    def spot_prices(self, names: Collection[str]) -> tuple[SpotPrice, ...]:
        """The newest spot prices of Linux machines, one for each type and zone."""
        ...

    def on_demand_prices(self, names: Collection[str]) -> Mapping[str, float]:
        """US dollars an hour for Linux machines on demand, for each type that has a price."""
        ...
