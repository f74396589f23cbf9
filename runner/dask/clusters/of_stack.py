"""Put together what a Dask cluster of an event's stack needs: its authority, its machines, the ways to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from clients.aws.console import Console
from clients.aws.ec2 import Ec2
from clients.aws.fleets import Ec2Fleet
from clients.certificates import Authority
from contracts.dask import TlsFiles
from contracts.errors import AskedWrongly
from contracts.event import EventConfig
from contracts.infra import DaskCluster
from contracts.stack import StackOutputs
from contracts.work import HostAddress
from runner.dask.certifying import Certifier
from runner.dask.cluster import Forward
from runner.dask.clusters.standing import Reach, StandingCluster, StandingSettings
from runner.dask.machines import Addresses, DaskMachine, Login, StandingMachines
from runner.dask.sizing import Bounds
from runner.hosts import WayIn
from runner.ports import Transport

Connect = Callable[[HostAddress], Transport]
_PATIENCE_S = 300.0


def authority_of(event: EventConfig, now: Callable[[], datetime]) -> Authority:
    """The authority of the stack's cluster, which `up` makes and renews."""
    return Authority(event.state_dir / "dask-tls", stack=event.name, now=now)


def addresses_of(event: EventConfig, way_in: WayIn, session: Any) -> Addresses:
    """The addresses of the stack's machines; a console is looked at once each time."""
    login = Login(event.worker.ami_user_name, event.key_path, way_in)
    return Addresses(login, partial(Console(session).host_key, patience_s=0))


def certifier_of(
    authority: Authority, machines: Callable[[], Sequence[DaskMachine]], addresses: Addresses, connect: Connect
) -> Certifier:
    """What gives machines their certificates."""
    return Certifier(machines, authority, addresses=addresses, connect=connect)


def standing_cluster(
    event: EventConfig,
    outputs: StackOutputs | None,
    *,
    way_in: WayIn,
    session: Any,
    connect: Connect,
    open_forward: Callable[[HostAddress, tuple[str, int]], Forward],
    now: Callable[[], datetime],
) -> StandingCluster:
    """The cluster that `infra.dask` declares. Raises AskedWrongly where it is not deployed (yet)."""
    dask = event.infra.dask
    if dask is None or outputs is None or not outputs.dask_scheduler_id:
        waits = outputs is not None and "dask" in outputs.waits_for_image
        then = f"invoke build-ami --event {event.name}, then " if waits else ""
        hint = f"{then}invoke up --event {event.name}"
        raise AskedWrongly(f"the stack of {event.name} has no Dask cluster", hint=hint)
    instances = Ec2(session)
    machines, addresses = StandingMachines(outputs, instances), addresses_of(event, way_in, session)
    authority = authority_of(event, now)
    client: Callable[[], TlsFiles | None] = (lambda: None) if dask.insecure else authority.client
    reach = Reach(
        machines,
        addresses,
        open_forward,
        certifier=None if dask.insecure else certifier_of(authority, machines, addresses, connect),
        client=client,
    )
    fleet = Ec2Fleet(session, outputs.dask_worker_fleet_id)
    return StandingCluster(_settings(dask, outputs, way_in), reach, fleet=fleet, instances=instances)


def _settings(dask: DaskCluster, outputs: StackOutputs, way_in: WayIn) -> StandingSettings:
    return StandingSettings(
        access=way_in.access,
        bounds=Bounds(outputs.dask_min, outputs.dask_max, _PATIENCE_S),
        on_demand_base=dask.on_demand_base if dask.spot else None,
    )
