"""A standing Dask cluster in memory: its account, its machines as scripted hosts, its authority."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from clients.memory import Call, MemoryHost
from clients.memory_fleet import MemoryFleet
from clients.memory_instances import MemoryInstances
from contracts.dask_machines import Certificates, DaskRole, Verdict
from contracts.errors import HostUnreachable
from contracts.infra import Access
from contracts.instance import Instance
from contracts.stack import StackOutputs
from contracts.work import HostAddress
from runner.dask.machines import FLEET_TAG, STACK_TAG, Addresses, Login, StandingMachines
from runner.hosts import WayIn
from runner.ports import Transport

NOW = datetime(2027, 3, 1, 12, tzinfo=UTC)
SCHEDULER = "i-scheduler"
FLEET = "fleet-1"
WORKER_TAGS = {STACK_TAG: "iris", FLEET_TAG: FLEET}
OUTPUTS = StackOutputs(
    stack="iris", event="iris", region="eu-west-3", vpc_id="", subnet_ids=(), build_subnet_id="", access="public",
    key_name="", security_group_id="", server_group_id="", builder_group_id="", launch_template_id="",
    instance_types=(), image_pipeline_arn="", image_name="", image_parameter="", image_log_group="",
    dask_scheduler_id=SCHEDULER, dask_worker_fleet_id=FLEET, dask_min=0, dask_max=4,
)  # fmt: skip


def instance(instance_id: str, *, state: str = "running", tags: Mapping[str, str] | None = None) -> Instance:
    return Instance(
        instance_id=instance_id, state=state, address="127.79.0.1", image_id="ami-1", instance_type="t3.medium",
        launched_at=NOW, tags={STACK_TAG: "iris", **(tags or {})}, private_address="10.79.0.1",
    )  # fmt: skip


class Office:
    """An authority whose certificates say whose they are, and of which edition."""

    def __init__(self) -> None:
        self.edition = 1

    def issue(self, role: DaskRole, name: str) -> Certificates:
        return Certificates(f"authority {self.edition}", f"{role} {name} {self.edition}", f"key of {name}")

    def judge(self, certificate: str, role: DaskRole, name: str) -> Verdict:
        words = certificate.split()
        if words[:2] != [role, name]:
            return Verdict.OUTDATED
        edition = int(words[2])
        if edition > self.edition:
            return Verdict.NEWER
        return Verdict.CURRENT if edition == self.edition else Verdict.OUTDATED


@dataclass
class Machine:
    """What a machine has in the folder of its certificates, None before that is there; `restarts` of Dask on it."""

    files: dict[str, str] | None = field(default_factory=dict)
    restarts: int = 0
    exit_code: int = 0
    """Of whatever is run as root."""

    def as_root(self, call: Call) -> int:
        _sudo, _n, _sh, _c, script, _name, _folder, authority, own, key, *service = call.argv
        if self.exit_code:
            call.err(b"a password is required\n")
            return self.exit_code
        if self.files is None:
            return 75
        if not service:
            call.out(self.files.get(own, "").encode())
            return 0
        assert script
        texts = b"".join(call.stdin).decode().split("\n.\n")
        self.restarts += key in self.files
        self.files = dict(zip((authority, own, key), texts[:3], strict=True))
        return 0


class Account:
    """The stack's instances; every one has a machine, and shows its host key unless it is in `silent`."""

    def __init__(self) -> None:
        self.instances = MemoryInstances(lambda: NOW)
        self.instances.put(instance(SCHEDULER))
        self.fleet = MemoryFleet(self.instances, WORKER_TAGS, lambda: NOW)
        self.machines: dict[str, Machine] = {}
        self.silent: set[str] = set()
        self.consoles: list[str] = []
        self.dialled: list[HostAddress] = []
        self.hosts: list[MemoryHost] = []
        self.outage = ""

    def machine(self, instance_id: str) -> Machine:
        return self.machines.setdefault(instance_id, Machine())

    def workers(self) -> list[str]:
        found = self.instances.instances(WORKER_TAGS)
        return [each.instance_id for each in found if not each.has_ended]

    def host_key(self, instance_id: str) -> str:
        self.consoles.append(instance_id)
        return "" if instance_id in self.silent else f"ssh-ed25519 {instance_id}"

    def connect(self, host: HostAddress) -> Transport:
        self.dialled.append(host)
        if self.outage:
            raise HostUnreachable(self.outage)
        self.hosts.append(MemoryHost({"sudo": self.machine(host.host_id).as_root}))
        return self.hosts[-1].connect()

    def found(self, outputs: StackOutputs = OUTPUTS) -> StandingMachines:
        return StandingMachines(outputs, self.instances)

    def addresses(self) -> Addresses:
        return Addresses(Login("ubuntu", Path("/key"), WayIn(Access.PUBLIC)), self.host_key)


@dataclass
class Clock:
    """Seconds, as the test says."""

    at: float = 0.0

    def __call__(self) -> float:
        return self.at
