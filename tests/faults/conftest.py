"""Give each test of a fault an event, and hold it to what must be true afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.dask_cluster import DaskCluster, dask_cluster
from tests.faults import hosts, invariants, jobs, rehearsal
from tests.faults.hosts import Ground
from tests.faults.jobs import STAND_IN, Job
from tests.faults.rehearsal import Rehearsal

if TYPE_CHECKING:
    from tests.integration.clouds import Cloud

_NUMBERS = count(1)
Rehearse = Callable[..., Rehearsal]


@pytest.fixture
def rehearse(tmp_path: Path) -> Iterator[Rehearse]:
    """Make an event on this machine; afterwards nothing may be broken, and nothing of it is left."""
    made: list[Rehearsal] = []

    def make(job: Job = STAND_IN, **settings: Any) -> Rehearsal:
        prefix = jobs.make_prefix(job, tmp_path / "prefix")
        worker = f"worker_type: conda, env: venv, venv_dir: {prefix}"
        event = rehearsal.open_event(tmp_path, "here", worker, job, **settings)
        made.append(Rehearsal(tmp_path, event, job=job))
        return made[-1]

    yield make
    _end(made)


@pytest.fixture
def rehearse_on_dask(tmp_path: Path) -> Iterator[Callable[..., tuple[Rehearsal, DaskCluster]]]:
    """Make an event on a Dask cluster of its own, whose workers are machines to it; otherwise as `rehearse`."""
    with ExitStack() as stack:
        made: list[Rehearsal] = []

        def make(job: Job = STAND_IN, *, workers: int = 2, **settings: Any) -> tuple[Rehearsal, DaskCluster]:
            (tmp_path / "cluster").mkdir()
            cluster = stack.enter_context(dask_cluster(tmp_path / "cluster", workers=workers))
            prefix = jobs.make_prefix(job, tmp_path / "prefix")
            worker = f"worker_type: dask, env: venv, venv_dir: {prefix}, dask_tls_dir: {cluster.client.key.parent}"
            worker += f", dask_scheduler: '{cluster.scheduler.address}'"
            event = rehearsal.open_event(tmp_path, "dasked", worker, job, **settings)
            made.append(Rehearsal(tmp_path, event, job=job))
            return made[-1], cluster

        yield make
        _end(made)


@pytest.fixture
def rehearse_as_ramp_has_it(tmp_path: Path) -> Iterator[Callable[..., tuple[Rehearsal, DaskCluster]]]:
    """Make an event of RAMP's own keys on a Dask cluster that was started by RAMP's documentation, with conda."""
    with ExitStack() as stack:
        made: list[Rehearsal] = []

        def make(*, workers: int, **settings: Any) -> tuple[Rehearsal, DaskCluster]:
            (tmp_path / "cluster").mkdir()
            cluster = stack.enter_context(dask_cluster(tmp_path / "cluster", workers=0, is_encrypted=False))
            cluster.start_workers_as_ramp_says("machine", workers)
            path = jobs.make_conda(STAND_IN, tmp_path / "conda", "ramp-iris")
            worker = f"worker_type: dask, conda_env: ramp-iris, dask_scheduler: '{cluster.scheduler.address}'"
            event = rehearsal.open_event(tmp_path, "ramps", f"{worker}, n_workers: {workers}", STAND_IN, **settings)
            made.append(Rehearsal(tmp_path, event, environment={"PATH": path}))
            return made[-1], cluster

        yield make
        _end(made)


@pytest.fixture(scope="session")
def ground(cloud: Cloud) -> Ground:
    """What all events on the local cloud share."""
    if cloud.local.level == "plain":
        pytest.skip("a plain machine's home has no path of its own that an image could name")
    return hosts.prepared(cloud)


@pytest.fixture
def rehearse_on_cloud(ground: Ground, tmp_path: Path) -> Iterator[Rehearse]:
    """Make an event on the shared local cloud, in a stack of its own; otherwise as `rehearse`. Faults end with it."""
    made: list[Rehearsal] = []

    def make(job: Job = STAND_IN, *, spot: bool = False, zones: int = 1, **settings: Any) -> Rehearsal:
        name = f"faults_{next(_NUMBERS)}"
        market = f"use_spot_instance: {str(spot).lower()}"
        worker = f"worker_type: aws, key_path: {ground.cloud.key_path}, boot_timeout_s: 30, {market}"
        event = rehearsal.open_event(tmp_path, name, worker, job, **settings)
        made.append(Rehearsal(tmp_path, event, ground.stack(name, job, zones=zones), job))
        return made[-1]

    yield make
    for injected in ground.cloud.local.injections():
        ground.cloud.local.undo(injected.name)
    _end(made)


def _end(made: list[Rehearsal]) -> None:
    try:
        assert [fault for one in made for fault in invariants.broken_at_the_end(one)] == []
    finally:
        for one in made:
            one.end()
            if one.hosts is not None:
                one.hosts.end()
