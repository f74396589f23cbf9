"""Put together the host pool of an event on a Dask cluster: which cluster it is, and how it is reached."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import clients
from clients.dask.door import Door
from contracts.dask import Scheduler
from contracts.errors import HostUnreachable
from contracts.event import ClusterKind, EventConfig
from contracts.infra import Access
from contracts.stack import StackOutputs
from contracts.work import HostAddress, Provisioned
from runner.dask.announcing import Announcement
from runner.dask.cluster import Cluster, Forward
from runner.dask.clusters.somebodys import SomebodysCluster
from runner.dask.layout import layout_of
from runner.dask.pool import DaskHosts, DaskTempo, machine_of
from runner.dask.walls import walled
from runner.interruption import Interruption
from runner.ports import Transport


@dataclass(frozen=True, slots=True)
class Ways:
    """How machines of the event's stack are reached; `gateway_key` is its gateway's host key, where it has one."""

    connect: Callable[[HostAddress], Transport]
    open_forward: Callable[[HostAddress, tuple[str, int]], Forward]
    gateway_key: str = ""


def dask_hosts(
    event: EventConfig,
    outputs: StackOutputs | None,
    ways: Ways,
    *,
    interruption: Interruption,
    tempo: DaskTempo,
    now: Callable[[], datetime],
) -> DaskHosts:
    """Make the host pool. Raises AskedWrongly where the event's cluster is not deployed."""
    return DaskHosts(
        cluster_of(event, outputs, ways, now=now),
        open_door=open_door,
        layout=layout_of(event),
        announcement=Announcement(event),
        user=event.worker.ami_user_name,
        places_per_run=event.worker.folds_at_a_time,
        interruption=interruption,
        tempo=tempo,
    )


def open_door(scheduler: Scheduler) -> Door:
    """Connect to a scheduler, with walls around what speaks to it. Raises HostUnreachable."""
    sources = Path(clients.__file__).parent
    return Door(scheduler, walled=lambda argv, reaches: walled(argv, shown=[sources], reaches=reaches))


def open_machine(event: EventConfig, provisioned: Provisioned) -> Transport:
    """Open a connection of one's own to the machine of a run, as the loop on this machine that has the cluster does.

    Raises HostUnreachable where there is no such loop.
    """
    scheduler = Announcement(event).found()
    if scheduler is None:
        hint = f"what it logged so far is kept when it ends; invoke train-loop --event {event.name} goes on with it"
        raise HostUnreachable(f"no loop on this machine has the Dask cluster of {event.name}", hint=hint)
    door = open_door(scheduler)
    return door.transport(machine_of(provisioned), is_last=True)


def cluster_of(event: EventConfig, outputs: StackOutputs | None, ways: Ways, *, now: Callable[[], datetime]) -> Cluster:
    """Give the cluster that the event file asks for. Raises AskedWrongly where it is not deployed."""
    worker = event.worker
    if worker.dask_scheduler is not None:
        return SomebodysCluster(worker.dask_scheduler, worker.dask_tls_dir or event.state_dir / "dask-tls")
    if worker.cluster is ClusterKind.LOCAL:
        from runner.dask.clusters.local_cluster import local_processes

        return local_processes(event, now=now)
    return _of_stack(event, outputs, ways, now)


def _of_stack(event: EventConfig, outputs: StackOutputs | None, ways: Ways, now: Callable[[], datetime]) -> Cluster:
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for
    from runner.dask.clusters.ec2_cluster import Ec2Cluster, Ec2ClusterDoors, Patience, Tls, keeper_of, plan_of
    from runner.dask.clusters.of_stack import addresses_of, authority_of, certifier_of, standing_cluster
    from runner.workers.aws import way_in

    way = way_in(event, outputs, ways.gateway_key)
    session = session_for(event)
    if event.worker.cluster is not ClusterKind.EC2:
        return standing_cluster(
            event, outputs, way_in=way, session=session, connect=ways.connect, open_forward=ways.open_forward, now=now
        )
    plan, addresses = plan_of(event, outputs), addresses_of(event, way, session)
    authority = authority_of(event, now)
    tls = Tls(lambda machines: certifier_of(authority, machines, addresses, ways.connect), authority.client)
    inside = way.access is Access.INSIDE
    doors = Ec2ClusterDoors(
        keep=keeper_of(event, os.environ),
        instances=Ec2(session),
        tls=None if plan.insecure else tls,
        open_forward=None
        if inside
        else lambda machine, port: ways.open_forward(addresses.of(machine), (machine.instance.private_address, port)),
    )
    return Ec2Cluster(plan, doors, Patience(boot=event.worker.boot_timeout_s))
