"""Keep a Dask cluster of processes on this machine.

Usage: local_keeper.py, with an environment that holds nothing secret, for the workers have it too. Settings: `folder`
(removed at the end; the workers' own folders are made in it), `least` and `most` workers, `security` as
distributed.Security takes it.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[3])
import dask  # noqa: E402
from distributed import LocalCluster, Security  # noqa: E402

from runner.dask.keepers.serving import Failed, Told, serve  # noqa: E402

_HOST = "127.0.0.1"
_SETTINGS: dict[str, object] = {
    "distributed.comm.require-encryption": True,
    "distributed.scheduler.allowed-failures": 0,  # whether to try again, the dispatcher alone decides
    # HTTP is served without encryption, to whoever asks
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}


class LocalKept:
    """Scheduler and nannies live in this process; each nanny has a worker process, which it starts anew when it dies.

    A worker process ends when this one does, however that ends.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._folder = Path(settings["folder"])
        self._least, self._most = int(settings["least"]), int(settings["most"])
        self._security = Security(require_encryption=True, **settings["security"])  # type: ignore[no-untyped-call]
        self._cluster: Any = None
        self._changing: asyncio.Task[None] | None = None
        self._wanted = self._least

    async def start(self) -> Told:
        dask.config.set(_SETTINGS)
        self._cluster = LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=self._wanted,
            threads_per_worker=1,
            processes=True,
            host=_HOST,
            security=self._security,
            resources={"SUBMISSION": 1},
            memory_limit=0,  # the launcher bounds a submission's memory; a worker is never ended for it
            local_directory=str(self._folder / "workers"),
            dashboard_address=f"{_HOST}:0",
            scheduler_kwargs={"dashboard": False},
            asynchronous=True,
        )
        await self._cluster
        return {"address": self._cluster.scheduler_address}

    async def answer(self, verb: str, asked: Mapping[str, Any]) -> Told:
        if verb == "scale":
            self._wanted = max(self._least, min(int(asked["n"]), self._most))
            if self._changing is None or self._changing.done():
                former, self._changing = self._changing, asyncio.create_task(self._change())
                if former is not None and (error := former.exception()) is not None:
                    raise Failed(f"a worker could not be started: {error}")
        return {"wanted": self._wanted, "workers": sorted(self._cluster.scheduler.workers)}

    async def close(self) -> None:
        if self._changing is not None:
            self._changing.cancel()
        if self._cluster is not None:
            await self._cluster.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _change(self) -> None:
        """Have as many workers as are wanted by now; one with a task is not ended, but at another call, later."""
        cluster, wanted = self._cluster, 0
        while wanted != self._wanted:
            wanted = self._wanted
            if len(cluster.worker_spec) < wanted:
                cluster.scale(wanted)
                await cluster
            surplus = len(cluster.worker_spec) - wanted
            idle = [name for name, nanny in cluster.workers.items() if not self._is_busy(nanny)]
            if surplus > 0 and idle:
                await cluster.scale_down(idle[-surplus:])

    def _is_busy(self, nanny: Any) -> bool:
        known = self._cluster.scheduler.workers.get(nanny.worker_address)
        return known is not None and bool(known.processing)


if __name__ == "__main__":
    serve(LocalKept)
