"""Find the machines of a stack's standing Dask cluster, and the way to each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from contracts.dask_machines import DaskRole
from contracts.errors import HostUnreachable
from contracts.instance import Instance
from contracts.stack import StackOutputs
from contracts.work import HostAddress
from runner.hosts import WayIn
from runner.ports import Instances

FLEET_TAG = "aws:ec2:fleet-id"
"""EC2 puts it on what a fleet launches; nobody else can."""
STACK_TAG = "rampart:stack"


@dataclass(frozen=True, slots=True)
class DaskMachine:
    """An instance, and what it is in its cluster."""

    instance: Instance
    role: DaskRole


@dataclass(frozen=True, slots=True)
class Login:
    """Who logs in on the machines, with which private key, by which way."""

    user: str
    key_path: Path
    way_in: WayIn


class Addresses:
    """The machines' addresses with their host keys.

    A machine makes its key itself, and shows it on its console, which only the account's owner can read: there
    `host_key` reads it, empty where it is not shown (yet). A key that is merely answered with is never believed.
    """

    def __init__(self, login: Login, host_key: Callable[[str], str]) -> None:
        self._login = login
        self._host_key = host_key
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def user(self) -> str:
        """Who logs in."""
        return self._login.user

    def of(self, machine: DaskMachine) -> HostAddress:
        """Raises HostUnreachable where no address or key is known, HostKeyRefused where two keys are, CloudError."""
        instance, login = machine.instance, self._login
        if not login.way_in.dialled(instance):
            raise HostUnreachable(f"the Dask {machine.role} {instance.instance_id} has no address yet")
        with self._lock:
            key = self._known.get(instance.instance_id, "")
        if not key:
            key = self._host_key(instance.instance_id)
        if not key:
            hint = "a minute after its boot it should; does its image run cloud-init?"
            message = f"the Dask {machine.role} {instance.instance_id} shows no host key on its console: it is not used"
            raise HostUnreachable(message, hint=hint)
        with self._lock:
            self._known[instance.instance_id] = key
        return login.way_in.host(instance, user=login.user, host_key=key, key_path=login.key_path)

    def forget_all_but(self, instance_ids: Iterable[str]) -> None:
        """The others have ended."""
        kept = set(instance_ids)
        with self._lock:
            self._known = {name: key for name, key in self._known.items() if name in kept}


class StandingMachines:
    """The machines that `infra.dask` declares: a scheduler and a fleet of workers."""

    def __init__(self, outputs: StackOutputs, instances: Instances) -> None:
        self._outputs = outputs
        self._instances = instances

    def __call__(self) -> list[DaskMachine]:
        """Those that have not ended. Raises CloudError."""
        outputs = self._outputs
        found = self._instances.instances({STACK_TAG: outputs.stack})
        roles = {each.instance_id: self._role(each) for each in found if not each.has_ended}
        return [DaskMachine(each, role) for each in found if (role := roles.get(each.instance_id)) is not None]

    def scheduler(self) -> DaskMachine:
        """The scheduler's. Raises CloudError, and HostUnreachable while it boots or where it has ended."""
        outputs = self._outputs
        found = self._instances.instance(outputs.dask_scheduler_id)
        if found is None or found.has_ended:
            hint = f"invoke up --event {outputs.event} makes another; then start the loop anew"
            raise HostUnreachable(f"the Dask scheduler {outputs.dask_scheduler_id} has ended", hint=hint)
        if found.state != "running" or not found.private_address:
            raise HostUnreachable(f"the Dask scheduler {found.instance_id} is {found.state}", hint="it boots: wait")
        return DaskMachine(found, DaskRole.SCHEDULER)

    def _role(self, instance: Instance) -> DaskRole | None:
        if instance.instance_id == self._outputs.dask_scheduler_id:
            return DaskRole.SCHEDULER
        fleet_id = self._outputs.dask_worker_fleet_id
        return DaskRole.WORKER if fleet_id and instance.tags.get(FLEET_TAG) == fleet_id else None


def host_of(address: str) -> str:
    """`tls://10.0.0.5:8788` and `10.0.0.5` are on one machine."""
    return address.rpartition("//")[2].partition(":")[0]
