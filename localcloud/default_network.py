"""Give every region's default VPC the way to the internet that AWS gives it."""

from __future__ import annotations

from moto.ec2.models import EC2Backend
from moto.ec2.models.vpcs import VPC

from localcloud.moto_patches import Original, Patches


def install(patches: Patches) -> None:
    """Complete the default VPC where it is made; backends that are there already keep theirs."""
    patches.wrap(EC2Backend, "create_default_vpc", _create_default_vpc)


def _create_default_vpc(original: Original, backend: EC2Backend) -> VPC:
    vpc: VPC = original(backend)
    gateway = backend.create_internet_gateway()
    backend.attach_internet_gateway(gateway.id, vpc.id)
    (main,) = backend.describe_route_tables(filters={"vpc-id": [vpc.id], "association.main": ["true"]})
    backend.create_route(main.id, "0.0.0.0/0", gateway_id=gateway.id)
    return vpc
