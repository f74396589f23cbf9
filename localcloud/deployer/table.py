"""Which resource types the deployer can make, by Pulumi's type token."""

from __future__ import annotations

from contracts.errors import AskedWrongly
from localcloud.deployer import (
    budgets,
    ec2_access,
    ec2_fleets,
    ec2_gateways,
    ec2_launch,
    ec2_machines,
    ec2_network,
    events,
    iam,
    imagebuilder,
    logs,
    lookups,
    secrets_manager,
    storage_buckets,
    storage_files,
)
from localcloud.deployer.handler import Handler

HANDLERS: dict[str, Handler] = {
    **ec2_network.HANDLERS,
    **ec2_access.HANDLERS,
    **ec2_gateways.HANDLERS,
    **ec2_launch.HANDLERS,
    **ec2_machines.HANDLERS,
    **ec2_fleets.HANDLERS,
    **iam.HANDLERS,
    **logs.HANDLERS,
    **events.HANDLERS,
    **storage_buckets.HANDLERS,
    **storage_files.HANDLERS,
    **secrets_manager.HANDLERS,
    **budgets.HANDLERS,
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
