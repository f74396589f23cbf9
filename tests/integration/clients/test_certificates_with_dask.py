"""Dask lets in whom the authority of its stack has certified, and nobody else."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import distributed
import pytest

from clients.certificates import Authority
from contracts.dask_machines import DaskRole

T = TypeVar("T")
_KINDS = ("client", "scheduler", "worker")
DASK: Any = distributed  # which is typed here and there
HERE: dict[str, Any] = {"host": "127.0.0.1", "protocol": "tls://", "dashboard": False}


@dataclass(frozen=True)
class Issuer:
    """An authority whose certificates are put where Dask reads them."""

    authority: Authority
    folder: Path

    def security(self, role: DaskRole) -> Any:
        """Have whatever we are in Dask show the certificate of a role."""
        issued = self.authority.issue(role, f"{role}-1")
        files = {"ca": issued.authority, "cert": issued.certificate, "key": issued.key}
        for name, text in files.items():
            (self.folder / f"{role}-{name}.pem").write_text(text)
        authority, certificate, key = (str(self.folder / f"{role}-{name}.pem") for name in files)
        shown = {f"tls_{kind}_cert": certificate for kind in _KINDS} | {f"tls_{kind}_key": key for kind in _KINDS}
        return DASK.Security(require_encryption=True, tls_ca_file=authority, **shown)


def issuer(folder: Path) -> Issuer:
    authority = Authority(folder / "authority", stack="iris", now=lambda: datetime.now(UTC))
    authority.renew()
    return Issuer(authority, folder)


@dataclass(frozen=True)
class Cluster:
    """A scheduler with one worker, in a thread of its own."""

    issuer: Issuer
    scheduler: Any
    loop: asyncio.AbstractEventLoop

    def run(self, asked: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(asked, self.loop).result(30)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    ours = issuer(tmp_path_factory.mktemp("ours"))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="dask")
    thread.start()
    held = AsyncExitStack()

    async def start() -> Any:
        scheduler = DASK.Scheduler(port=0, dashboard_address=":0", security=ours.security(DaskRole.SCHEDULER), **HERE)
        await held.enter_async_context(scheduler)
        worker = DASK.Worker(scheduler.address, security=ours.security(DaskRole.WORKER), nthreads=1, **HERE)
        await held.enter_async_context(worker)
        return scheduler

    try:
        yield Cluster(ours, asyncio.run_coroutine_threadsafe(start(), loop).result(30), loop)
    finally:
        asyncio.run_coroutine_threadsafe(held.aclose(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def ask(address: str, security: Any) -> int:
    async with DASK.Client(address, security=security, asynchronous=True, timeout=1) as client:
        answer: int = await client.submit(sum, [40, 2])
        return answer


def test_scheduler_worker_and_client_with_certificates_work_together(cluster: Cluster) -> None:
    assert cluster.run(ask(cluster.scheduler.address, cluster.issuer.security(DaskRole.CLIENT))) == 42


def test_a_client_without_a_certificate_is_refused(cluster: Cluster) -> None:
    place = urlsplit(cluster.scheduler.address)
    trusting = ssl.create_default_context(cafile=cluster.issuer.security(DaskRole.CLIENT).tls_ca_file)
    trusting.check_hostname = False
    with (
        socket.create_connection((place.hostname, place.port), timeout=10) as wire,
        pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"),
        trusting.wrap_socket(wire) as secured,
    ):
        secured.recv(1)


def test_a_client_without_encryption_is_refused(cluster: Cluster) -> None:
    clear = cluster.scheduler.address.replace("tls://", "tcp://")
    with pytest.raises(OSError, match="closed"):
        cluster.run(ask(clear, None))


def test_a_client_of_another_authority_is_refused_though_it_trusts_ours(cluster: Cluster, tmp_path: Path) -> None:
    stranger = issuer(tmp_path).security(DaskRole.CLIENT)
    stranger.tls_ca_file = cluster.issuer.security(DaskRole.CLIENT).tls_ca_file
    with pytest.raises(OSError, match="closed"):
        cluster.run(ask(cluster.scheduler.address, stranger))


def test_a_client_refuses_a_scheduler_of_another_authority(cluster: Cluster, tmp_path: Path) -> None:
    stranger = issuer(tmp_path)
    ours = cluster.issuer.security(DaskRole.CLIENT)
    ours.tls_ca_file = stranger.security(DaskRole.CLIENT).tls_ca_file
    with pytest.raises(OSError, match="certificate"):
        cluster.run(_dial(cluster.scheduler.address, ours))


def test_a_clients_certificate_is_none_to_be_called_at(cluster: Cluster) -> None:
    """It may pose as a worker and be given tasks; whoever calls it there hangs up."""

    async def pose() -> dict[str, Any]:
        posing = cluster.issuer.security(DaskRole.CLIENT)
        async with DASK.Worker(cluster.scheduler.address, security=posing, nthreads=1, **HERE) as worker:
            asked = cluster.scheduler.broadcast(msg={"op": "identity"}, workers=[worker.address], on_error="return")
            answers: dict[str, Any] = await asked
            return answers

    [answer] = cluster.run(pose()).values()
    assert isinstance(answer, OSError)
    assert "certificate" in str(answer)


async def _dial(address: str, security: Any) -> None:
    comm = await DASK.comm.connect(address, timeout=5, **security.get_connection_args("client"))
    await comm.close()
