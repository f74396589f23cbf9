"""What a look at an AWS account tells, before anything is made in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom AWS takes us for."""

    account: str
    arn: str


@dataclass(frozen=True, slots=True)
class MachineType:
    """An instance type; `architectures` are EC2's words, `x86_64` or `arm64`."""

    name: str
    vcpus: int
    architectures: frozenset[str]
    has_nvidia_gpu: bool = False


@dataclass(frozen=True, slots=True)
class BaseImage:
    """A machine image of anybody's; `root_gib` is 0 where it has no volume of its own."""

    image_id: str
    name: str
    architecture: str
    state: str
    root_gib: int = 0


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A key of KMS. `state` is KMS's word (`Enabled`, `PendingDeletion`, ...).

    `is_own`: whoever made it writes its policy, so that others can be let use it. `encrypts`: it is a symmetric key for
    data, as disks need one.
    """

    state: str
    is_own: bool
    encrypts: bool


@dataclass(frozen=True, slots=True)
class Vpc:
    """A network of the account."""

    vpc_id: str
    cidrs: tuple[IPv4Network, ...]
    is_default: bool = False
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subnet:
    """A part of a network. `gives_addresses`: machines launched in it have a public address."""

    subnet_id: str
    vpc_id: str
    zone: str
    gives_addresses: bool
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Where a subnet's packets go. The main one serves every subnet of the VPC that is in no other.

    `way_out` is the target of 0.0.0.0/0 (`igw-...`, `nat-...`), empty where there is no such route; `is_broken` where
    that target is gone.
    """

    vpc_id: str
    is_main: bool
    subnet_ids: tuple[str, ...]
    way_out: str = ""
    is_broken: bool = False


@dataclass(frozen=True, slots=True)
class SpotPrice:
    """US dollars an hour for a spot machine in one zone, since a moment."""

    instance_type: str
    zone: str
    usd: float
    since: datetime
