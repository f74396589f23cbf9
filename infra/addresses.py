"""Check the address ranges an event opens and divides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, collapse_addresses

from contracts.errors import AskedWrongly

BROADEST_PREFIX = 8
"""A range of more than 2**24 addresses is no longer somebody in particular."""
SUBNET_BITS = 3
"""A VPC is always divided by eight, so that another number of zones moves no subnet."""
MOST_ZONES = 6
"""The eighths from here on are not the hosts'."""
WORLD = IPv4Network("0.0.0.0/0")


def closed_to_the_world(
    cidrs: Iterable[IPv4Network], what: str = "infra.allowed_cidrs opens port 22"
) -> tuple[IPv4Network, ...]:
    """Give the ranges in one order, without repetition; raises AskedWrongly where one, or several joined, is too broad.

    `what` says what is opened, and by which key of the event file.
    """
    ranges = tuple(collapse_addresses(cidrs))
    for cidr in ranges:
        not_the_world(cidr, what)
    return ranges


def not_nobody(cidrs: Sequence[IPv4Network]) -> None:
    """Raise AskedWrongly where there is no range that could reach the hosts."""
    if not cidrs:
        hint = "write the dispatcher's address, such as 203.0.113.7/32"
        raise AskedWrongly("infra.allowed_cidrs is empty: nobody could reach the hosts", hint=hint)


def not_the_world(cidr: IPv4Network, what: str) -> None:
    """Raise AskedWrongly where the range is nearly the world; `what` is how the message begins."""
    if cidr.prefixlen < BROADEST_PREFIX:
        hint = f"write the addresses that need it, /{BROADEST_PREFIX} at the broadest"
        raise AskedWrongly(f"{what} to {cidr}, nearly the world", hint=hint)


def subnets(vpc: IPv4Network, count: int) -> tuple[IPv4Network, ...]:
    """Give the ranges of the hosts' subnets; raises AskedWrongly where AWS would take neither the VPC nor its parts."""
    if not 1 <= count <= MOST_ZONES:
        hint = f"write a number from 1 to {MOST_ZONES}"
        raise AskedWrongly(f"infra.network.availability_zones is {count}, which is none", hint=hint)
    return _eighths(vpc)[:count]


def public_subnet(vpc: IPv4Network) -> IPv4Network:
    """Give the range of the one public subnet beside private ones: the last, which no number of zones reaches."""
    return _eighths(vpc)[-1]


def _eighths(vpc: IPv4Network) -> tuple[IPv4Network, ...]:
    if not 16 <= vpc.prefixlen <= 28 - SUBNET_BITS:
        hint = f"AWS takes /16 to /28, and each subnet is an eighth: write /16 to /{28 - SUBNET_BITS}"
        raise AskedWrongly(f"infra.network.cidr is {vpc}, which cannot be divided into subnets", hint=hint)
    return tuple(vpc.subnets(prefixlen_diff=SUBNET_BITS))
