"""Have a Dask cluster of EC2 instances for as long as a loop lives."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from contracts.dask import Scheduler, TlsFiles
from contracts.dask_ec2 import Ec2ClusterPlan
from contracts.dask_machines import SCHEDULER_PORT, DaskRole
from contracts.errors import AskedWrongly, CloudError, HostKeyRefused, HostUnreachable, RampartError
from contracts.event import EventConfig
from contracts.instance import LAUNCH_TAG
from contracts.stack import StackOutputs
from runner.dask.cluster import Forward
from runner.dask.clusters.keeper import Keeper, clean_environment
from runner.dask.machines import STACK_TAG, DaskMachine, host_of
from runner.dask.sizing import Bounds, Sizing
from runner.ports import Instances

_log = logging.getLogger(__name__)
_PROGRAM = Path(__file__).parents[1] / "keepers" / "ec2_keeper.py"
_START_S = 300.0
_LOOK_S = 2.0
"""Between two looks for machines that have no certificate yet, and for workers that nobody wants any more."""
_FOR_AWS = ("AWS_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "SSL_CERT_", "REQUESTS_CA_BUNDLE")
"""What the variables begin with that AWS's tools read."""

Machines = Callable[[], Sequence[DaskMachine]]


class Keeping(Protocol):
    """The process that keeps one start of the cluster; `runner.dask.clusters.keeper.Keeper` is one."""

    @property
    def told(self) -> Mapping[str, Any]:
        """What it said of the cluster when the scheduler was launched."""
        ...

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        ...

    def ask(self, verb: str, **asked: object) -> Mapping[str, Any]:
        """Have it do something. Raises CloudError where that cannot be done, HostUnreachable where it has ended."""
        ...

    def close(self) -> None:
        """Have it end the machines; doing it twice is fine."""
        ...


class Certifying(Protocol):
    """Gives machines their certificates; `runner.dask.certifying.Certifier` does."""

    def look(self) -> int:
        """Certify every machine that runs and needs it. Raises nothing."""
        ...

    def ensure(self, machine: DaskMachine) -> None:
        """Certify one. Raises HostUnreachable while that cannot be done, HostKeyRefused, CloudError or AskedWrongly."""
        ...


@dataclass(frozen=True, slots=True)
class Tls:
    """What a cluster with TLS takes: `certifier` is made for its machines, `client` gives the dispatcher's files."""

    certifier: Callable[[Machines], Certifying]
    client: Callable[[], TlsFiles]


@dataclass(frozen=True, slots=True)
class Ec2ClusterDoors:
    """What the cluster needs from the outside.

    `keep` starts a keeper for a plan. `tls` None is for a cluster without encryption. `open_forward` opens a way to
    that port of the scheduler's machine; None where its private address is reached from here.
    """

    keep: Callable[[Ec2ClusterPlan], Keeping]
    instances: Instances
    tls: Tls | None
    open_forward: Callable[[DaskMachine, int], Forward] | None
    new_id: Callable[[], str] = lambda: uuid.uuid4().hex
    clock: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True)
class Patience:
    """In seconds: `boot`, in which a scheduler must take its certificate; `idle`, so long fewer workers are wanted
    before any is ended."""

    boot: float
    idle: float = 120.0


@dataclass(slots=True)
class _Up:
    """One start of the cluster."""

    cluster_id: str
    keeper: Keeping
    scheduler_id: str
    certifier: Certifying | None
    since: float
    was_reached: bool = False
    forward: Forward | None = None
    over: threading.Event = field(default_factory=threading.Event)


class Ec2Cluster:
    """Scheduler and workers from the stack's launch templates; a keeper process launches, scales and ends them.

    Where scheduler or keeper are lost the whole cluster is ended, and another one started when it is asked for. What a
    keeper that was killed has left is ended by the tag of this start; where that is not to be, by the reaper.
    """

    def __init__(self, plan: Ec2ClusterPlan, doors: Ec2ClusterDoors, patience: Patience) -> None:
        """Each start of the plan gets an id of its own."""
        self._plan = plan
        self._doors = doors
        self._patience = patience
        self._bounds = Bounds(plan.minimum, plan.maximum, patience.idle)
        self._sizing = Sizing(self._bounds)
        self._starting = threading.Lock()
        self._scaling = threading.Lock()
        self._target = plan.minimum
        self._busy: frozenset[str] | None = None
        self._up: _Up | None = None
        self._is_closed = False
        self._told = ""

    def scheduler(self) -> Scheduler:
        """Have the cluster up, and certify the scheduler's machine; to be asked again while it boots.

        Raises HostUnreachable while it boots, CloudError where it cannot be launched or does not come up, AskedWrongly.
        """
        with self._starting:
            if self._up is not None and not self._is_up(self._up):
                _log.warning("the Dask cluster is lost: another is started", extra={"action": "dask-lost"})
                self._end()
            if self._is_closed:
                raise HostUnreachable("the Dask cluster of this loop is closed")
            if self._up is None:
                self._up = self._started()
                with self._scaling:
                    self._have(self._target)
            address = self._dialled(self._up, self._certified(self._up))
        tls = self._doors.tls
        return Scheduler(f"{'tcp' if tls is None else 'tls'}://{address}", None if tls is None else tls.client())

    def scale(self, wanted: int, busy: Collection[str] | None = None) -> None:
        """Have more workers at once, fewer when fewer have been wanted for a while.

        `busy` are the addresses of the workers with a run, as Dask or EC2 tells them. One is ended only where they are
        told for every run: fewer than are wanted say that not all are known. Raises CloudError for what went wrong
        since it was asked before, and HostUnreachable.
        """
        with self._scaling:
            self._sizing.note(wanted, self._doors.clock())
            known = frozenset(host_of(address) for address in busy or ())
            self._busy = known if len(known) >= wanted else None
            self._have(max(self._target, self._bounds.clamp(wanted)))

    def machines(self) -> list[DaskMachine]:
        """The machines of the cluster that have not ended; none before it is up. Raises CloudError."""
        up = self._up
        return [] if up is None else self._machines(up.cluster_id, up.scheduler_id)

    def has_lost(self, host: str) -> bool:
        """Whether no machine of the cluster has that private address any more. Raises CloudError."""
        return all(each.instance.private_address != host for each in self.machines())

    def close(self) -> None:
        """Terminate all machines; doing it twice is fine."""
        with self._starting:
            self._is_closed = True
            self._end()

    def _started(self) -> _Up:
        cluster_id = self._doors.new_id()
        try:
            keeper = self._doors.keep(self._plan.model_copy(update={"cluster_id": cluster_id}))
        except RampartError:
            self._end_machines(cluster_id)
            raise
        scheduler_id, tls = str(keeper.told["scheduler"]["instance_id"]), self._doors.tls
        certifier = None if tls is None else tls.certifier(lambda: self._machines(cluster_id, scheduler_id))
        up = _Up(cluster_id, keeper, scheduler_id, certifier, self._doors.clock())
        threading.Thread(target=self._attend, args=(up,), daemon=True, name="dask-cluster").start()
        return up

    def _attend(self, up: _Up) -> None:
        """Look after the machines until they are ended."""
        while not up.over.wait(_LOOK_S):
            if up.certifier is not None:
                up.certifier.look()
            try:
                self._settle()
            except RampartError as error:
                self._tell(error)

    def _settle(self) -> None:
        with self._scaling:
            floor = self._sizing.floor(self._doors.clock())
            if floor is not None and floor < self._target and self._busy is not None:
                self._have(floor)

    def _have(self, target: int) -> None:
        """Tell the keeper, or whoever comes after it."""
        self._target = target
        up = self._up
        if up is not None and up.keeper.is_alive:
            up.keeper.ask("scale", n=target, busy=None if self._busy is None else sorted(self._busy))

    def _dialled(self, up: _Up, machine: DaskMachine) -> str:
        """Where this process reaches the scheduler, as `host:port`."""
        if self._doors.open_forward is None:
            return f"{machine.instance.private_address}:{SCHEDULER_PORT}"
        if up.forward is None:
            up.forward = self._doors.open_forward(machine, SCHEDULER_PORT)
        return f"127.0.0.1:{up.forward.port}"

    def _is_up(self, up: _Up) -> bool:
        try:
            return up.keeper.is_alive and bool(up.keeper.ask("look")["is_up"])
        except CloudError as error:  # nobody knows: what is there may be well
            _log.warning("%s", error, extra={"action": "dask-unseen"})
            return True
        except HostUnreachable:
            return False

    def _certified(self, up: _Up) -> DaskMachine:
        found = self._doors.instances.instance(up.scheduler_id)
        try:
            if found is None or found.state != "running":
                state = "not known to EC2 yet" if found is None else found.state
                raise HostUnreachable(f"the Dask scheduler {up.scheduler_id} is {state}", hint="it boots: wait")
            machine = DaskMachine(found, DaskRole.SCHEDULER)
            if up.certifier is not None:
                up.certifier.ensure(machine)
        except HostKeyRefused:
            self._end()
            raise
        except HostUnreachable as error:
            if up.was_reached or self._doors.clock() - up.since < self._patience.boot:
                raise
            self._end()
            waited = f"{self._patience.boot:.0f} s"
            raise CloudError(
                f"the Dask cluster did not come up in {waited}: {error.message}", hint=error.hint
            ) from error
        up.was_reached = True
        return machine

    def _machines(self, cluster_id: str, scheduler_id: str) -> list[DaskMachine]:
        tags = {STACK_TAG: self._plan.stack, LAUNCH_TAG: cluster_id}
        return [
            DaskMachine(found, DaskRole.SCHEDULER if found.instance_id == scheduler_id else DaskRole.WORKER)
            for found in self._doors.instances.instances(tags)
            if not found.has_ended
        ]

    def _end(self) -> None:
        up, self._up = self._up, None
        if up is not None:
            up.over.set()
            if up.forward is not None:
                up.forward.close()
            up.keeper.close()
            self._end_machines(up.cluster_id)

    def _end_machines(self, cluster_id: str) -> None:
        """End what a keeper has left that was killed; the reaper is the last resort."""
        tags = {STACK_TAG: self._plan.stack, LAUNCH_TAG: cluster_id}
        try:
            left = [each.instance_id for each in self._doors.instances.instances(tags) if not each.is_released]
            if left:
                self._doors.instances.terminate(left)
        except CloudError as error:
            _log.error("machines of the Dask cluster may be left: %s", error, extra={"action": "dask-close"})

    def _tell(self, error: RampartError) -> None:
        if self._told != str(error):
            self._told = str(error)
            _log.warning("%s", error, extra={"action": "dask-cluster"})


def plan_of(event: EventConfig, outputs: StackOutputs | None) -> Ec2ClusterPlan:
    """Combine the event file with the stack's outputs. Raises AskedWrongly where the stack has no launch templates."""
    dask, worker = event.infra.dask, event.worker
    if dask is None or outputs is None or not (outputs.dask_scheduler_template_id and outputs.dask_worker_template_id):
        waits = outputs is not None and "dask" in outputs.waits_for_image
        then = f"invoke build-ami --event {event.name}, then " if waits else ""
        hint = f"{then}invoke up --event {event.name}"
        raise AskedWrongly(f"the stack of {event.name} has no launch templates for worker.cluster: ec2", hint=hint)
    price = "" if dask.max_price_usd is None else format(Decimal(str(dask.max_price_usd)), "f")
    return Ec2ClusterPlan(
        stack=outputs.stack,
        event=event.name,
        region=outputs.region,
        scheduler_template_id=outputs.dask_scheduler_template_id,
        worker_template_id=outputs.dask_worker_template_id,
        subnet_ids=outputs.subnet_ids,
        scheduler_type=dask.scheduler_type,
        worker_types=dask.worker_types or event.host_types,
        minimum=dask.min,
        maximum=dask.max,
        spot=dask.spot or worker.use_spot_instance,
        on_demand_base=dask.on_demand_base,
        max_price_usd=price,
        lifetime_s=dask.max_lifetime_s,
        user=worker.ami_user_name,
        prefix=event.infra.image.prefix,
        n_threads=event.dispatcher.n_threads,
        insecure=dask.insecure,
    )


def keeper_of(event: EventConfig, environment: Mapping[str, str]) -> Callable[[Ec2ClusterPlan], Keeper]:
    """Give what starts a keeper with the event's credentials."""
    worker = event.worker
    key, secret = worker.access_key_id, worker.secret_access_key
    credentials = {"profile": worker.profile_name}
    if key and secret:
        credentials = {"access_key_id": key.get_secret_value(), "secret_access_key": secret.get_secret_value()}

    def keep(plan: Ec2ClusterPlan) -> Keeper:
        folder = event.state_dir / "dask-ec2"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        log = folder / "keeper.log"
        log.unlink(missing_ok=True)  # that of the start before
        return start_keeper(plan, credentials, environment=keeper_environment(environment), log=log)

    return keep


def keeper_environment(outer: Mapping[str, str]) -> dict[str, str]:
    """What of a process's variables the keeper gets: what AWS's tools read, and nothing else of the dispatcher's."""
    for_aws = {name: value for name, value in outer.items() if name.upper().startswith(_FOR_AWS)}
    return clean_environment(outer, Path(outer.get("HOME") or Path.home())) | for_aws


def start_keeper(
    plan: Ec2ClusterPlan, credentials: Mapping[str, str | None], *, environment: Mapping[str, str], log: Path
) -> Keeper:
    """Start a keeper; credentials that only the event file knows are not in its command line.

    Raises CloudError where the scheduler cannot be launched, and HostUnreachable.
    """
    settings = {"plan": plan.model_dump(mode="json"), **credentials}
    return Keeper(_PROGRAM, settings, environment=environment, log=log, start_s=_START_S)
