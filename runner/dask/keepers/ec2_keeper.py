"""Keep a Dask cluster of EC2 instances.

Usage: ec2_keeper.py, with AWS's variables in its environment, AWS_ENDPOINT_URL too if set. Settings: `plan`, as
Ec2ClusterPlan, and where only the event file knows them `profile`, `access_key_id` and `secret_access_key`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[3])
from aiobotocore.session import AioSession  # type: ignore[import-untyped]  # noqa: E402
from distributed.core import Status  # noqa: E402

from contracts.dask_ec2 import Ec2ClusterPlan  # noqa: E402
from runner.dask.keepers.ec2_machines import TemplateCluster  # noqa: E402
from runner.dask.keepers.serving import Failed, Told, serve  # noqa: E402

_LOOK_S = 10.0
"""Between two looks at the machines, all in one call."""


class Ec2Kept:
    """Machines are launched and ended by one task, in the background: who asks does not wait for EC2."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._plan = Ec2ClusterPlan.model_validate(settings["plan"])
        self._session = AioSession(profile=settings.get("profile"))
        if settings.get("access_key_id"):
            self._session.set_credentials(settings["access_key_id"], settings["secret_access_key"])
        self._cluster: TemplateCluster | None = None
        self._starting: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._closing = False
        self._wanted = self._plan.minimum
        self._busy: list[str] | None = None
        self._problem: Failed | None = None

    async def start(self) -> Told:
        """Launch the scheduler; the least number of workers follows by itself."""
        self._cluster = TemplateCluster(self._plan, self._session)
        self._starting = asyncio.create_task(self._cluster._start())
        await asyncio.shield(self._starting)  # what is being launched must be known before it can be ended
        self._keeping = asyncio.create_task(self._keep())
        return self._told()

    async def answer(self, verb: str, asked: Mapping[str, Any]) -> Told:
        if verb == "scale":
            self._wanted = max(self._plan.minimum, min(int(asked["n"]), self._plan.maximum))
            self._busy = asked.get("busy")
            self._changed.set()
            problem, self._problem = self._problem, None
            if problem is not None:
                raise problem
        if verb == "look":
            await self._up().look()
        return self._told()

    async def close(self) -> None:
        self._closing = True
        self._changed.set()
        for task in (self._starting, self._keeping):
            if task is not None:
                with suppress(Exception):
                    await task
        if self._cluster is None:
            return
        try:
            await self._cluster.close()
        finally:
            await self._cluster.end_all()

    async def _keep(self) -> None:
        """Have as many workers as are wanted; what keeps it from that is told when it is asked again."""
        cluster = self._up()
        while not self._closing:
            self._changed.clear()
            busy, self._busy = self._busy, None  # later another worker may have a run
            try:
                await cluster.have(self._wanted, busy)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _LOOK_S)
                    continue
                await cluster.look()
            except Exception as error:
                self._problem = error if isinstance(error, Failed) else Failed(f"{type(error).__name__}: {error}")
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), _LOOK_S)

    def _up(self) -> TemplateCluster:
        if self._cluster is None:
            raise Failed("it is not up")
        return self._cluster

    def _told(self) -> Told:
        cluster = self._up()
        return {
            "scheduler": _told_of(cluster.scheduler),
            "is_up": cluster.scheduler.status == Status.running,
            "workers": [_told_of(each) for each in cluster.workers.values() if each.instance is not None],
            "wanted": self._wanted,
        }


def _told_of(machine: Any) -> Told:
    return {"instance_id": machine.instance["InstanceId"], "address": machine.instance["PrivateIpAddress"]}


if __name__ == "__main__":
    serve(Ec2Kept)
