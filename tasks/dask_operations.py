"""Look at an event's Dask cluster, and have it larger or smaller."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.dask import DaskWorker, Scheduler
from contracts.dask_machines import DASHBOARD_PORT
from contracts.errors import AskedWrongly, HostUnreachable
from contracts.event import EventConfig
from tasks import console, gateway, stack

if TYPE_CHECKING:
    from runner.dask.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Size:
    """How many workers are asked for; `at_least`: more may stay."""

    count: int
    at_least: bool = False


def size_of(*, up: bool, scale: str | None, down: bool, dashboard: bool) -> Size | None:
    """What the command line asks for; None where nothing is to change. Raises AskedWrongly."""
    if up + down + dashboard + (scale is not None) > 1:
        message = "--up, --scale, --down and --dashboard exclude one another"
        raise AskedWrongly(message, hint="leave out all but one")
    if scale is not None and not scale.isdigit():
        raise AskedWrongly(f"--scale {scale!r} is no number of workers", hint="like --scale 4")
    if scale is not None:
        return Size(int(scale))
    return Size(1, at_least=True) if up else Size(0) if down else None


def resize(event: EventConfig, size: Size) -> None:
    """Have the standing cluster of another size. Raises AskedWrongly for any other cluster, CloudError."""
    from runner.dask.clusters.standing import StandingCluster
    from runner.dask.machines import host_of

    with _cluster(event) as cluster:
        if not isinstance(cluster, StandingCluster):
            hint = "its workers are those of whoever keeps it, or of the train-loop that started it"
            raise AskedWrongly(f"the Dask cluster of {event.name} is not the stack's, and not scaled here", hint=hint)
        if size.at_least:
            before, after = cluster.have_at_least(size.count)
        else:
            # idle workers are ended where they are too many: it must be known which have a run
            busy = {host_of(one.address) for one in _asked(cluster.scheduler()) if one.runs}
            before, after = cluster.have(size.count, busy)
    console.result(f"the Dask cluster of {event.name} is to have {after} workers; before: {before}")
    console.next_step(f"invoke dask-cluster --event {event.name}")


def workers(event: EventConfig) -> tuple[DaskWorker, ...]:
    """The workers that the scheduler knows now: it is dialled as a loop on this machine does, else on our own.

    Raises HostUnreachable, CloudError, or AskedWrongly where the event has no cluster.
    """
    _check(event)
    found = workers_of_loop(event)
    if found is not None:
        return found
    if event.worker.cluster is not None:
        hint = f"it lives as long as: invoke train-loop --event {event.name}"
        raise HostUnreachable(f"no loop on this machine has a Dask cluster of {event.name}", hint=hint)
    with _cluster(event) as cluster:
        return _asked(cluster.scheduler())


def workers_of_loop(event: EventConfig) -> tuple[DaskWorker, ...] | None:
    """The workers of the cluster that a loop on this machine uses; None where there is none. Raises HostUnreachable."""
    from runner.dask.announcing import Announcement

    announced = Announcement(event).found()
    return None if announced is None else _asked(announced)


def told(found: Sequence[DaskWorker]) -> str:
    """How many there are, and how many are free."""
    free = sum(not one.runs for one in found)
    return f"{len(found)} worker{'' if len(found) == 1 else 's'}, {free} free"


def show_dashboard(event: EventConfig) -> None:
    """Hold a port of this machine open that leads to the scheduler's pages, until Ctrl-C. Raises AskedWrongly."""
    from clients.aws.ec2 import Ec2
    from clients.aws.session import session_for
    from runner.app import dask_ways
    from runner.dask.clusters.of_stack import addresses_of
    from runner.dask.machines import StandingMachines
    from runner.workers.aws import way_in

    _check(event)
    outputs = stack.outputs_of(event)
    if outputs is None or not outputs.dask_scheduler_id:
        hint = "only the pages of the cluster that infra.dask declares are shown"
        raise AskedWrongly(f"the stack of {event.name} has no standing Dask scheduler", hint=hint)
    session, key = session_for(event), gateway.ensure_known(event, outputs)
    scheduler = StandingMachines(outputs, Ec2(session)).scheduler()
    address = addresses_of(event, way_in(event, outputs, key), session).of(scheduler)
    forward = dask_ways(event, key).open_forward(address, (scheduler.instance.private_address, DASHBOARD_PORT))
    try:
        console.result(f"http://127.0.0.1:{forward.port}/status shows the cluster, until Ctrl-C")
        signal.pause()
    finally:
        forward.close()


@contextmanager
def _cluster(event: EventConfig) -> Iterator[Cluster]:
    from runner.app import dask_ways, now
    from runner.dask.making import cluster_of

    _check(event)
    outputs = stack.outputs_of(event)
    key = gateway.ensure_known(event, outputs) if event.is_on_ec2 else ""
    cluster = cluster_of(event, outputs, dask_ways(event, key), now=now)
    try:
        yield cluster
    finally:
        cluster.close()


def _asked(scheduler: Scheduler) -> tuple[DaskWorker, ...]:
    from runner.dask.making import open_door

    door = open_door(scheduler)
    try:
        return door.workers()
    finally:
        door.close()


def _check(event: EventConfig) -> None:
    if event.worker.worker_type != "dask":
        raise AskedWrongly(f"event {event.name} does not run on a Dask cluster", hint="worker.worker_type: dask")
