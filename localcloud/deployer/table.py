"""Which resource types the deployer can make, by Pulumi's type token."""

from __future__ import annotations

from contracts.errors import AskedWrongly
from localcloud.deployer import ec2_access, ec2_launch, ec2_network, iam, imagebuilder, lookups
from localcloud.deployer.handler import Handler

HANDLERS: dict[str, Handler] = {
    **ec2_network.HANDLERS,
    **ec2_access.HANDLERS,
    **ec2_launch.HANDLERS,
    **iam.HANDLERS,
    **imagebuilder.HANDLERS,
}


def handler_of(token: str) -> Handler:
    """Find the handler of a type; raises AskedWrongly, naming every type there is."""
    if token not in HANDLERS:
        raise AskedWrongly(f"the local deployer cannot make {token}", hint=f"it makes: {', '.join(sorted(HANDLERS))}")
    return HANDLERS[token]


def lookup_of(token: str) -> lookups.Lookup:
    """Find the answer to a function call; raises AskedWrongly, naming every function there is."""
    if token not in lookups.LOOKUPS:
        known = ", ".join(sorted(lookups.LOOKUPS))
        raise AskedWrongly(f"the local deployer cannot answer {token}", hint=f"it answers: {known}")
    return lookups.LOOKUPS[token]
