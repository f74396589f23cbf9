"""Look at the networks an event stands in or beside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from contracts.findings import Finding, Level
from contracts.infra import Access
from contracts.survey import Subnet
from infra.preflight.known import Known, Missing
from infra.tags import STACK


def look_at_ranges(known: Known) -> Iterator[Finding]:
    """The range of an own VPC beside those that are there, and beside whom it lets in."""
    network = known.event.infra.network
    if network.vpc != "own":
        return
    overlapping = [
        f"{vpc.vpc_id} ({cidr})"
        for vpc in known.vpcs
        if vpc.tags.get(STACK) != known.event.name
        for cidr in vpc.cidrs
        if cidr.overlaps(network.cidr)
    ]
    if overlapping:
        hint = "harmless, unless you connect the two one day: write another infra.network.cidr"
        message = f"{network.cidr} overlaps with {', '.join(overlapping)}"
        yield Finding(Level.WARNING, "network", message, hint)
    else:
        yield Finding(Level.OK, "network", f"an own VPC, {network.cidr}, which overlaps with no other of the region")
    if known.event.infra.access is Access.INSIDE:
        return
    for allowed in known.event.infra.allowed_cidrs:
        if allowed.overlaps(network.cidr):
            message = f"infra.allowed_cidrs has {allowed}, addresses of the event's own VPC ({network.cidr})"
            hint = "answers to them never leave the VPC: write your public address, or another infra.network.cidr"
            yield Finding(Level.WARNING, "network", message, hint)


def look_at_subnets(known: Known) -> Iterator[Finding]:
    """A VPC that is there, and whether the subnets named for it are its own."""
    network = known.event.infra.network
    if network.vpc == "own":
        return
    try:
        vpc = known.vpc
    except Missing:
        yield _no_vpc(known)
        return
    own = {one.subnet_id for one in known.subnets}
    named = dict.fromkeys([*network.subnet_ids, *filter(None, [network.build_subnet_id])])
    strangers = [name for name in named if name not in own]
    if strangers:
        hint = f"aws ec2 describe-subnets --filters Name=vpc-id,Values={vpc.vpc_id} --query 'Subnets[].SubnetId'"
        yield Finding(Level.ERROR, "network", f"{vpc.vpc_id} has no subnet {', '.join(strangers)}", hint)
    elif not known.host_subnets:
        hint = "write infra.network.vpc: own, or make one: aws ec2 create-default-subnet --availability-zone ZONE"
        yield Finding(Level.ERROR, "network", f"the default VPC {vpc.vpc_id} has no default subnet", hint)
    else:
        places = ", ".join(f"{one.subnet_id} in {one.zone}" for one in known.host_subnets)
        yield Finding(Level.OK, "network", f"{vpc.vpc_id}: {places}")
        yield from _mounted_twice(known)


def _mounted_twice(known: Known) -> Iterator[Finding]:
    """A file system has one mount target in a zone; AWS refuses the second, in the middle of a deployment."""
    zones = Counter(one.zone for one in known.host_subnets)
    crowded = [zone for zone, count in zones.items() if count > 1]
    if known.event.infra.storage.efs and crowded:
        message = f"infra.storage.efs: {', '.join(crowded)} has several of infra.network.subnet_ids"
        yield Finding(Level.ERROR, "network", message, "name one subnet of each zone, or write efs: false")


def look_at_way_out(known: Known) -> Iterator[Finding]:
    """Whether a build reaches the internet, without which it downloads nothing and is never heard of again."""
    if known.event.infra.network.vpc == "own":
        yield Finding(Level.OK, "build subnet", "made with a route to the internet")
        return
    subnet = known.build_subnet
    target = _way_out(known, subnet)
    hint = "write as infra.network.build_subnet_id a subnet whose route 0.0.0.0/0 leads to an internet or NAT gateway"
    needs_address = known.event.infra.access is Access.GATEWAY
    if not target:
        yield Finding(Level.ERROR, "build subnet", f"{subnet.subnet_id} has no route to the internet", hint)
    elif target.startswith("igw-") and not subnet.gives_addresses:
        message = f"{subnet.subnet_id} leads to {target}, but gives its machines no public address"
        again = f"aws ec2 modify-subnet-attribute --map-public-ip-on-launch --subnet-id {subnet.subnet_id}"
        yield Finding(Level.ERROR, "build subnet", message, f"{again}; or {hint}")
    elif needs_address and not target.startswith("igw-"):
        message = f"{subnet.subnet_id} leads to {target}: nobody could reach the gateway in it"
        yield Finding(
            Level.ERROR, "build subnet", message, "write as infra.network.build_subnet_id one with an igw route"
        )
    elif target.startswith(("igw-", "nat-")):
        yield Finding(Level.OK, "build subnet", f"{subnet.subnet_id} leads to the internet by {target}")
    else:
        message = f"{subnet.subnet_id} leads to {target}; what is behind that was not looked at"
        yield Finding(Level.WARNING, "build subnet", message, "builds need ports 80 and 443 of the internet")


def look_at_addresses(known: Known) -> Iterator[Finding]:
    """Whether hosts of a VPC that is there can be reached by public addresses, where that is the way in."""
    if known.event.infra.network.vpc == "own" or known.event.infra.access is not Access.PUBLIC:
        return
    hidden = [one for one in known.host_subnets if not one.gives_addresses]
    unreachable = [one for one in known.host_subnets if not _way_out(known, one).startswith("igw-")]
    if hidden or unreachable:
        hint = "write infra.access: gateway, eice or inside, or name public subnets"
        if hidden:
            names = ", ".join(one.subnet_id for one in hidden)
            yield Finding(Level.ERROR, "hosts' subnets", f"{names}: hosts there have no public address", hint)
        if unreachable:
            names = ", ".join(one.subnet_id for one in unreachable)
            yield Finding(Level.ERROR, "hosts' subnets", f"{names}: no route to an internet gateway", hint)
    elif known.host_subnets:
        yield Finding(Level.OK, "hosts' subnets", "they give hosts public addresses")


def _no_vpc(known: Known) -> Finding:
    wanted, region = known.event.infra.network.vpc, known.event.region
    if wanted == "default":
        hint = "write infra.network.vpc: own, or make one: aws ec2 create-default-vpc"
        return Finding(Level.ERROR, "network", f"the account has no default VPC in {region}", hint)
    there = ", ".join(one.vpc_id for one in known.vpcs) or "none"
    return Finding(Level.ERROR, "network", f"{region} has no VPC {wanted}", f"there: {there}")


def _way_out(known: Known, subnet: Subnet) -> str:
    """Where the subnet's packets to the internet go; empty for nowhere."""
    tables = known.route_tables
    own = [one for one in tables if subnet.subnet_id in one.subnet_ids] or [one for one in tables if one.is_main]
    return next((one.way_out for one in own if not one.is_broken), "")
