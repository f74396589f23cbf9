"""Check the address ranges an event opens and divides."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, collapse_addresses

from contracts.errors import AskedWrongly

BROADEST_PREFIX = 8
"""A range of more than 2**24 addresses is no longer somebody in particular."""
SUBNET_BITS = 3
"""A VPC is always divided by eight, so that another number of zones moves no subnet."""


def closed_to_the_world(cidrs: Sequence[IPv4Network]) -> tuple[IPv4Network, ...]:
    """Give the ranges in one order, without repetition; raises AskedWrongly where they are open to all, or to none."""
    if not cidrs:
        hint = "write the dispatcher's address, such as 203.0.113.7/32"
        raise AskedWrongly("infra.allowed_cidrs is empty: nobody could reach the hosts", hint=hint)
    ranges = tuple(collapse_addresses(cidrs))
    for cidr in ranges:
        if cidr.prefixlen < BROADEST_PREFIX:
            hint = f"write the addresses that need it, /{BROADEST_PREFIX} at the broadest"
            raise AskedWrongly(f"infra.allowed_cidrs opens port 22 to {cidr}, nearly the world", hint=hint)
    return ranges


def subnets(vpc: IPv4Network, count: int) -> tuple[IPv4Network, ...]:
    """Divide a VPC's range; raises AskedWrongly where AWS would take neither it nor its parts."""
    if not 16 <= vpc.prefixlen <= 28 - SUBNET_BITS:
        hint = f"AWS takes /16 to /28, and each subnet is an eighth: write /16 to /{28 - SUBNET_BITS}"
        raise AskedWrongly(f"infra.network.cidr is {vpc}, which cannot be divided into subnets", hint=hint)
    return tuple(vpc.subnets(prefixlen_diff=SUBNET_BITS))[:count]
