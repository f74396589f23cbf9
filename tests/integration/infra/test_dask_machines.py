"""What a Dask cluster's machines boot with, run on emulated machines: real Dask with TLS under their own units."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import ssl
import subprocess
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import distributed
import pytest

from clients.certificates import Authority
from contracts import dask_boot
from contracts.dask_machines import CERTIFICATES, SCHEDULER_PORT, DaskRole, certificates, unit
from localcloud.machines import Level
from tests.integration.clouds import Cloud

DASK: Any = distributed  # which is typed here and there
PATIENCE_S = 30.0
PAUSE_S = 0.05
REFUSED_S = 3.0
NOBODY: Mapping[str, int] = {}


@dataclass(frozen=True)
class DaskMachine:
    """One machine of the cluster."""

    instance_id: str
    address: str
    role: DaskRole


@dataclass(frozen=True)
class Cluster:
    """A scheduler and two workers, with the authority that certified them."""

    cloud: Cloud
    authority: Authority
    scheduler: DaskMachine
    workers: tuple[DaskMachine, ...]

    @property
    def url(self) -> str:
        return f"tls://{self.scheduler.address}:{SCHEDULER_PORT}"

    def ssh(self, machine: DaskMachine, command: str, *, stdin: bytes = b"") -> str:
        done = self.cloud.ssh(machine.address, command, stdin=stdin)
        assert done.returncode == 0, (command, done.stderr.decode())
        return done.stdout.decode()

    def certify(self, machine: DaskMachine) -> None:
        """Put certificates where they belong, the private key last."""
        issued = self.authority.issue(machine.role, machine.instance_id)
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            texts = (issued.authority, issued.certificate, issued.key)
            for path, text in zip(certificates(machine.role), texts, strict=True):
                entry = tarfile.TarInfo(Path(path).name)
                entry.size, entry.mode = len(text), 0o640
                tar.addfile(entry, io.BytesIO(text.encode()))
        take = f"cd {CERTIFICATES} && exec tar -x -f - --no-same-owner -p"
        booted = f"until [ -d {CERTIFICATES} ]; do sleep {PAUSE_S}; done"
        self.ssh(machine, f"{booted}; exec sudo -n sh -c '{take}'", stdin=packed.getvalue())

    def security(self) -> Any:
        files = self.authority.client()
        return DASK.Security(
            require_encryption=True,
            tls_ca_file=str(files.authority),
            tls_client_cert=str(files.certificate),
            tls_client_key=str(files.key),
        )

    @contextmanager
    def client(self) -> Iterator[Any]:
        with DASK.Client(self.url, security=self.security(), timeout=PATIENCE_S, set_as_default=False) as client:
            yield client

    def wait_for_workers(self, client: Any, former: Mapping[str, int] = NOBODY) -> dict[str, int]:
        """Wait until each worker's process is there, and none of the former ones; gives them by host.

        Process numbers are each machine's own.
        """
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            told = client.run(os.getpid, on_error="ignore")
            hosts = {name: worker["host"] for name, worker in client.scheduler_info(n_workers=-1)["workers"].items()}
            found = {hosts[name]: pid for name, pid in told.items() if name in hosts}
            is_complete = found.keys() == {worker.address for worker in self.workers}
            if is_complete and not former.items() & found.items():
                return found
            time.sleep(PAUSE_S)
        raise AssertionError([self.log(machine)[-2000:] for machine in (self.scheduler, *self.workers)])

    def log(self, machine: DaskMachine) -> str:
        return self.ssh(machine, f"journalctl -u {unit(machine.role)}.service")


@pytest.fixture(scope="module")
def cluster(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if cloud.local.level is Level.PLAIN:
        pytest.skip("a machine of the level plain has no units of its own")
    authority = Authority(tmp_path_factory.mktemp("stack") / "tls", stack="iris", now=lambda: datetime.now(UTC))
    authority.renew()
    prefix = cloud.environment["RAMPART_IMAGE_PREFIX"]
    begun: list[str] = []

    def launched(role: DaskRole, text: str) -> DaskMachine:
        found = cloud.launch(UserData=text)
        begun.append(found["InstanceId"])
        return DaskMachine(found["InstanceId"], found["PrivateIpAddress"], role)

    try:
        scheduler = launched(
            DaskRole.SCHEDULER, dask_boot.dask_scheduler(user="ubuntu", lifetime_s=3600, prefix=prefix)
        )
        text = dask_boot.dask_worker(user="ubuntu", lifetime_s=3600, prefix=prefix, scheduler=scheduler.address)
        workers = tuple(launched(DaskRole.WORKER, text) for _ in range(2))
        cluster = Cluster(cloud, authority, scheduler, workers)
        for machine in (scheduler, *workers):
            cluster.certify(machine)
        yield cluster
    finally:
        cloud.terminate(*begun)


@pytest.fixture(scope="module")
def client(cluster: Cluster) -> Iterator[Any]:
    with cluster.client() as client:
        cluster.wait_for_workers(client)
        yield client


def test_each_worker_takes_one_submission_at_a_time_by_the_name_of_its_address(cluster: Cluster, client: Any) -> None:
    workers = client.scheduler_info(n_workers=-1)["workers"].values()

    shown = sorted((worker["name"], worker["nthreads"], worker["resources"]) for worker in workers)
    assert shown == sorted((worker.address, 1, {"SUBMISSION": 1.0}) for worker in cluster.workers)
    assert client.submit(sum, [40, 2], resources={"SUBMISSION": 1}).result(timeout=PATIENCE_S) == 42


def test_a_worker_shows_no_page_in_the_clear(client: Any) -> None:
    for worker in client.scheduler_info(n_workers=-1)["workers"].values():
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"http://{worker['host']}:{worker['services']['dashboard']}/metrics", timeout=5)


def test_what_a_worker_starts_has_a_home_and_may_become_root(cluster: Cluster, client: Any) -> None:
    assert set(client.run(os.path.expanduser, "~").values()) == {"/var/lib/rampart-dask"}
    assert set(client.run(subprocess.check_output, ["sudo", "-n", "id", "-u"]).values()) == {b"0\n"}
    if cluster.cloud.local.level is Level.FULL:
        assert set(client.run(subprocess.check_output, ["id", "-un"]).values()) == {b"rampart-dask\n"}


def test_whoever_shows_no_certificate_of_the_authority_is_refused(
    cluster: Cluster, client: Any, tmp_path: Path
) -> None:
    assert client.status == "running"
    ours = cluster.authority.client()
    other = Authority(tmp_path / "tls", stack="iris", now=lambda: datetime.now(UTC))
    other.renew()
    strange = other.client()

    with_another = DASK.Security(
        tls_ca_file=str(ours.authority),
        tls_client_cert=str(strange.certificate),
        tls_client_key=str(strange.key),
    )
    with_none = ssl.create_default_context(cafile=str(ours.authority))
    with_none.check_hostname = False  # as Dask does
    tries = [
        (cluster.url, _connecting(cluster.security())),
        (cluster.url, _connecting(with_another)),
        (cluster.url, {"ssl_context": with_none}),
        (cluster.url.replace("tls:", "tcp:"), {}),
    ]

    assert asyncio.run(_who_is_let_in(tries)) == [True, False, False, False]


def test_certificates_are_read_by_the_account_of_dask_alone(cluster: Cluster) -> None:
    if cluster.cloud.local.level is not Level.FULL:
        pytest.skip("below the level full all users of a machine are one and the same outside")
    worker = cluster.workers[0]
    cluster.ssh(worker, "sudo -n useradd --system submission")

    for path in certificates(worker.role):
        reads = f"cat {path} >/dev/null 2>&1"
        cluster.ssh(worker, f"sudo -n -u rampart-dask {reads}; test $? = 0")
        cluster.ssh(worker, f"! {reads} && ! sudo -n -u submission {reads}")


def test_a_worker_that_is_killed_comes_back_by_itself(cluster: Cluster, client: Any) -> None:
    before = cluster.wait_for_workers(client)
    killed, other = cluster.workers

    main = f"systemctl status {unit(DaskRole.WORKER)} | sed -n 's/.*Main PID: //p'"
    cluster.ssh(killed, f"sudo -n kill -9 $({main})")

    after = cluster.wait_for_workers(client, former={killed.address: before[killed.address]})
    assert after[other.address] == before[other.address]


def test_machines_with_new_certificates_show_them_after_a_restart_and_their_jobs_go_on(
    cluster: Cluster, client: Any
) -> None:
    before = cluster.wait_for_workers(client)
    former = _connecting(cluster.security())  # which has read the files
    job = ["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 & echo $!"]
    jobs = client.run(subprocess.check_output, job)
    hosts = {name: worker["host"] for name, worker in client.scheduler_info(n_workers=-1)["workers"].items()}
    client.close()

    cluster.authority.renew(rotate=True)
    for machine in (cluster.scheduler, *cluster.workers):
        cluster.certify(machine)
        cluster.ssh(machine, f"sudo -n systemctl restart {unit(machine.role)}.service")

    with cluster.client() as renewed:
        cluster.wait_for_workers(renewed, former=before)
    for worker in cluster.workers:
        (started,) = [pid.decode().strip() for name, pid in jobs.items() if hosts[name] == worker.address]
        assert cluster.ssh(worker, f"cat /proc/{started}/comm") == "sleep\n"
    assert asyncio.run(_who_is_let_in([(cluster.url, _connecting(cluster.security())), (cluster.url, former)])) == [
        True,
        False,
    ]


def test_no_process_is_left_of_a_machine_that_is_terminated(cluster: Cluster) -> None:
    gone = cluster.workers[1]
    assert _processes(gone.instance_id)

    cluster.cloud.terminate(gone.instance_id)

    assert _processes(gone.instance_id) == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((gone.address, 8788), timeout=5)


async def _who_is_let_in(tries: Sequence[tuple[str, dict[str, Any]]]) -> list[bool]:
    return list(await asyncio.gather(*(_is_let_in(url, shown) for url, shown in tries)))


def _connecting(security: Any) -> dict[str, Any]:
    """What a client shows, read from its files."""
    shown: dict[str, Any] = security.get_connection_args("client")
    return shown


async def _is_let_in(url: str, shown: dict[str, Any]) -> bool:
    """Whether a scheduler answers."""
    try:
        comm = await DASK.core.connect(url, timeout=REFUSED_S, **shown)
        try:
            await comm.write({"op": "identity", "reply": True})
            await comm.read()
        finally:
            comm.abort()
    except (OSError, DASK.comm.CommClosedError):
        return False
    return True


def _processes(instance_id: str) -> list[int]:
    """Those that were ever started in a machine and live, seen from outside."""
    mark = f"RAMPART_MACHINE={instance_id}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:  # it has ended
            continue
    return found
