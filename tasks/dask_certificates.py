"""Keep the certificates of an event's Dask cluster with its stack."""

from __future__ import annotations

from contracts.event import EventConfig
from contracts.stack import StackOutputs
from tasks import console, gateway


def settle(event: EventConfig, outputs: StackOutputs, *, rotate: bool = False) -> None:
    """Have an authority for the cluster, another one where it is due or asked for, and its machines know it.

    A machine that does not answer yet is given its certificate by the loop that uses it.
    """
    from runner.app import now
    from runner.dask.clusters.of_stack import authority_of

    if event.infra.dask is None or event.infra.dask.insecure:
        return
    authority = authority_of(event, now)
    renewal = authority.renew(rotate=rotate)
    told = f"certificates of the Dask cluster: {renewal}, good until {authority.ends_at():%Y-%m-%d}"
    if outputs.dask_scheduler_id:
        shown, machines = _certified(event, outputs)
        told += f", shown by {shown} of {machines} machines"
        if shown < machines:
            told += "; train-loop gives the others theirs when they answer"
    console.say(told)


def forget(event: EventConfig) -> None:
    """The cluster is gone, and nobody is to be trusted in its name any more."""
    from runner.app import now
    from runner.dask.clusters.of_stack import authority_of

    authority_of(event, now).remove()


def _certified(event: EventConfig, outputs: StackOutputs) -> tuple[int, int]:
    """Push certificates to the machines that answer; gives how many show one, of how many there are."""
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for
    from runner.app import dialler, now
    from runner.dask.clusters.of_stack import addresses_of, authority_of, certifier_of
    from runner.dask.machines import StandingMachines
    from runner.workers.aws import way_in

    session = session_for(event)
    way = way_in(event, outputs, gateway.ensure_known(event, outputs))
    machines, addresses = StandingMachines(outputs, Ec2(session)), addresses_of(event, way, session)
    shown = certifier_of(authority_of(event, now), machines, addresses, dialler(event)).look()
    return shown, len(machines())
