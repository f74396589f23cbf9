"""Have dask-cloudprovider launch machines from the stack's launch templates."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from aiobotocore.config import AioConfig  # type: ignore[import-untyped]
from dask_cloudprovider.aws.ec2 import (  # type: ignore[import-untyped]
    EC2Cluster,
    EC2Instance,
    EC2Scheduler,
    EC2Worker,
)
from distributed.core import Status

from contracts import dask_boot, host_boot
from contracts.dask_ec2 import Ec2ClusterPlan
from contracts.instance import ENDED_STATES, LAUNCH_TAG
from runner.dask.keepers.run_instances import (
    NEXT_POOL_CODES,
    Market,
    Pool,
    Template,
    run_instances,
    template_of,
)
from runner.dask.keepers.serving import Failed

_SETTLING_S = 300.0
"""So long EC2 may not know an instance that it has launched."""
_ADDRESS_S = 60.0
_PAUSE_S = 0.5
_LIVE_STATES = ["pending", "running", "stopping", "stopped"]
_PATIENCE = AioConfig(
    retries={"mode": "standard", "max_attempts": 4},
    connect_timeout=10,
    read_timeout=60,
    user_agent_extra="rampart",
)


class FromTemplate(EC2Instance):  # type: ignore[misc]
    """A machine that is what its launch template says: encrypted, guarded metadata, tagged when it is made.

    The rest of dask-cloudprovider's settings (image, groups, disks, bootstrap, Docker) is not used.
    """

    role: str
    launched_at = 0.0

    async def create_vm(self) -> tuple[str, None]:
        """Launch; gives the private address. Leaves nothing behind where that fails. Raises Failed."""
        async with self.cluster.ec2() as ec2:
            self.instance = await self.cluster.launched(ec2, self)
            self.launched_at = time.monotonic()
            try:
                return await self.configure_vm(ec2)
            except BaseException:
                await self.destroy_vm()
                raise

    async def configure_vm(self, client: Any) -> tuple[str, None]:
        """Wait for the address. The tags are there."""
        end = time.monotonic() + _ADDRESS_S
        while not self.instance.get("PrivateIpAddress"):
            if time.monotonic() > end:
                raise Failed(f"{self.instance['InstanceId']} got no address in {_ADDRESS_S:.0f} s")
            await asyncio.sleep(_PAUSE_S)
            found = await self.cluster.described(client, [self.instance["InstanceId"]])
            self.instance = next(iter(found.values()), self.instance)
        return self.instance["PrivateIpAddress"], None

    async def destroy_vm(self) -> None:
        """Terminate it, if it was launched."""
        self.cluster.on_demand.discard(self.name)
        if self.instance is not None:
            await super().destroy_vm()


class SchedulerMachine(FromTemplate, EC2Scheduler):  # type: ignore[misc]
    """Its user data is its template's."""

    role = "scheduler"

    async def wait_for_scheduler(self) -> None:
        """It waits for certificates, which the dispatcher pushes when it knows of the machine."""


class WorkerMachine(FromTemplate, EC2Worker):  # type: ignore[misc]
    """Its user data names the scheduler, whose address no template can know."""

    role = "worker"


class SilentScheduler:
    """Stands where distributed has a connection to the scheduler.

    What a scheduler sends is unpickled, and it may be what a submission wrote: AWS's credentials are in this process.
    Whether a worker is busy, the dispatcher tells.
    """

    async def retire_workers(self, workers: Collection[str]) -> None:
        """Those that are ended have no run."""

    async def terminate(self) -> None:
        """Its machine is terminated."""

    async def close_rpc(self) -> None:
        """There is none."""


class TemplateCluster(EC2Cluster):  # type: ignore[misc]
    """A scheduler and workers that nobody here talks with."""

    def __init__(self, plan: Ec2ClusterPlan, session: Any) -> None:
        super().__init__(
            region=plan.region,
            scheduler_instance_type=plan.scheduler_type,
            worker_instance_type=plan.worker_types[0],
            spot=plan.spot,
            use_private_ip=True,
            protocol="tcp" if plan.insecure else "tls",
            security=False,  # for connections from here, of which there are none
            asynchronous=True,
        )
        self.status: Status
        self.cluster_plan = plan
        self.boto_session = session
        self.scheduler_class, self.worker_class = SchedulerMachine, WorkerMachine
        self.on_demand: set[str] = set()
        self._templates: dict[str, Template] = {}
        self._turn = itertools.count()

    def ec2(self) -> Any:
        """Open a client of EC2's API, for `async with`."""
        return self.boto_session.create_client("ec2", region_name=self.cluster_plan.region, config=_PATIENCE)

    async def _start(self) -> None:
        """Launch the scheduler; distributed would connect to it then."""
        if self.status == Status.running:
            return
        self._lock = asyncio.Lock()
        self.scheduler_comm = SilentScheduler()
        self.scheduler_spec = {"cls": self.scheduler_class, "options": self.scheduler_options}
        self.new_spec = {"cls": self.worker_class, "options": self.worker_options}
        self.status = Status.starting
        try:
            self.scheduler = await self.scheduler_class(**self.scheduler_options)
        except BaseException:
            self.status = Status.failed
            await self._close()
            raise
        self.status = Status.running

    async def have(self, wanted: int, busy: Collection[str] | None) -> None:
        """Have so many workers. Those whose private address is in `busy` stay; None says that nobody knows.

        Raises Failed: as many as could be launched are there then.
        """
        while len(self.worker_spec) < wanted:
            self.worker_spec.update(self.new_worker_spec())
        for name in self._endable(len(self.worker_spec) - wanted, busy):
            del self.worker_spec[name]
        try:
            await self._correct_state()
        finally:
            for name in [name for name, machine in self.workers.items() if machine.instance is None]:
                await self._forget(name)

    async def look(self) -> None:
        """Forget the workers that have ended; note it where the scheduler has."""
        # the others are being ended, or could not be launched
        machines = {name: self.workers[name] for name in self.worker_spec if name in self.workers}
        machines = {name: machine for name, machine in machines.items() if machine.instance is not None}
        async with self.ec2() as ec2:
            ids = [machine.instance["InstanceId"] for machine in (self.scheduler, *machines.values())]
            found = await self.described(ec2, ids)
        for name, machine in machines.items():
            if name in self.worker_spec and _has_ended(machine, found):
                await self._forget(name)
        if _has_ended(self.scheduler, found):
            self.scheduler.status = Status.failed

    async def end_all(self) -> None:
        """Terminate every machine of this start, also one whose launch was not answered."""
        tags = {"rampart:stack": self.cluster_plan.stack, LAUNCH_TAG: self.cluster_plan.cluster_id}
        filters = [{"Name": f"tag:{key}", "Values": [value]} for key, value in tags.items()]
        filters.append({"Name": "instance-state-name", "Values": _LIVE_STATES})
        async with self.ec2() as ec2:
            left = list(await self._matching(ec2, filters))
            if left:
                await ec2.terminate_instances(InstanceIds=left)

    async def launched(self, ec2: Any, machine: FromTemplate) -> dict[str, Any]:
        """Launch in the first pool that has such a machine. Raises Failed."""
        plan, role = self.cluster_plan, machine.role
        template = await self._template(ec2, role)
        types = (plan.scheduler_type,) if role == SchedulerMachine.role else plan.worker_types
        market, text = Market(), ""
        if role == WorkerMachine.role:
            market, text = self._market(machine), self._worker_user_data()
        pools = [Pool(each, subnet) for each in types for subnet in _turned(plan.subnet_ids, next(self._turn))]
        refused = ""
        for pool in pools:
            asked = run_instances(template, pool, market, name=machine.name, tags=self._tags(), user_data=text)
            try:
                (instance,) = (await ec2.run_instances(**asked))["Instances"]
            except ec2.exceptions.ClientError as error:
                code, message = _said(error)
                if code not in NEXT_POOL_CODES:
                    raise Failed(f"could not launch a {role}: {message} [{code}]", code=code) from error
                refused = code
            else:
                return dict(instance)
        what = " or ".join(types)
        raise Failed(f"could not launch a {role}: EC2 gives no {what} at the moment [{refused}]", code=refused)

    async def described(self, ec2: Any, instance_ids: Collection[str]) -> dict[str, Mapping[str, Any]]:
        """What EC2 knows of the instances, by id; it may not know one yet."""
        return await self._matching(ec2, [{"Name": "instance-id", "Values": list(instance_ids)}])

    async def _matching(self, ec2: Any, filters: list[dict[str, Any]]) -> dict[str, Mapping[str, Any]]:
        pages = ec2.get_paginator("describe_instances").paginate(Filters=filters)
        return {
            found["InstanceId"]: found
            async for page in pages
            for reservation in page["Reservations"]
            for found in reservation["Instances"]
        }

    async def _template(self, ec2: Any, role: str) -> Template:
        """The template's newest version, the same one for the life of the cluster."""
        if role not in self._templates:
            named = (
                self.cluster_plan.scheduler_template_id
                if role == SchedulerMachine.role
                else self.cluster_plan.worker_template_id
            )
            answer = await ec2.describe_launch_template_versions(LaunchTemplateId=named, Versions=["$Latest"])
            self._templates[role] = template_of(answer)
        return self._templates[role]

    def _market(self, machine: FromTemplate) -> Market:
        if not self.cluster_plan.spot or len(self.on_demand) < self.cluster_plan.on_demand_base:
            self.on_demand.add(machine.name)
            return Market()
        return Market(spot=True, max_price_usd=self.cluster_plan.max_price_usd)

    def _worker_user_data(self) -> str:
        plan = self.cluster_plan
        text = dask_boot.dask_worker(
            user=plan.user,
            lifetime_s=plan.lifetime_s,
            prefix=plan.prefix,
            scheduler=self.scheduler.instance["PrivateIpAddress"],
            n_threads=plan.n_threads,
            insecure=plan.insecure,
        )
        host_boot.encoded(text)  # raises AskedWrongly for what EC2 would not take
        return text

    def _tags(self) -> dict[str, str]:
        ends_at = datetime.now(UTC) + timedelta(seconds=self.cluster_plan.lifetime_s)
        return {
            "rampart:stack": self.cluster_plan.stack,
            "rampart:event": self.cluster_plan.event,
            "rampart:expires-at": ends_at.isoformat(timespec="seconds"),
            LAUNCH_TAG: self.cluster_plan.cluster_id,
        }

    def _endable(self, surplus: int, busy: Collection[str] | None) -> list[str]:
        """Which workers to end: none that has, or may have, a run."""
        if surplus <= 0 or busy is None:
            return []
        names = [name for name in self.worker_spec if not self._is_at(name, busy)]
        return names[-surplus:]

    def _is_at(self, name: str, addresses: Collection[str]) -> bool:
        machine = self.workers.get(name)
        return machine is not None and machine.address in addresses

    async def _forget(self, name: str) -> None:
        """Take a worker out that is not there (any more)."""
        machine = self.workers.pop(name)
        self.worker_spec.pop(name, None)
        machine.instance = None
        await machine.close()


def _has_ended(machine: FromTemplate, found: Mapping[str, Mapping[str, Any]]) -> bool:
    known = found.get(machine.instance["InstanceId"])
    if known is None:
        return time.monotonic() - machine.launched_at > _SETTLING_S
    return known["State"]["Name"] in ENDED_STATES


def _turned(subnet_ids: tuple[str, ...], by: int) -> tuple[str, ...]:
    """Spread the machines over the zones."""
    start = by % len(subnet_ids)
    return subnet_ids[start:] + subnet_ids[:start]


def _said(error: Any) -> tuple[str, str]:
    answer = error.response.get("Error", {})
    return answer.get("Code", ""), answer.get("Message", str(error))
