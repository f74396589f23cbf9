"""What a Dask cluster's machines boot with, run here: real Dask with TLS between two loopback addresses."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from infra import user_data

NETWORK = f"127.{os.getpid() % 100 + 100}.{os.getpid() // 100 % 256}"
SCHEDULER, WORKER = f"{NETWORK}.1", f"{NETWORK}.2"

ASK = """
import sys
from distributed import Client
from distributed.security import Security
address, folder = sys.argv[1:]
tls = Security(tls_ca_file=f"{folder}/ca.pem", tls_client_cert=f"{folder}/client.pem",
               tls_client_key=f"{folder}/client-key.pem", require_encryption=True)
with Client(address, security=tls, timeout=60) as client:
    client.wait_for_workers(1, timeout=60)
    (worker,) = client.scheduler_info()["workers"].values()
    print(worker["nthreads"], worker["resources"], worker["host"])
    print(client.submit(sum, [40, 2], resources={"SUBMISSION": 1}).result(timeout=60))
"""
ASK_IN_THE_CLEAR = """
import sys
from distributed import Client
Client(sys.argv[1], timeout=3)
"""


class Authority:
    """Signs certificates into a folder."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "the cluster's authority")])

    def give(self, folder: Path, *roles: str) -> None:
        """Write `ca.pem`, and certificate and key for each role."""
        folder.mkdir()
        (folder / "ca.pem").write_bytes(self._signed(self._name, self._key, is_authority=True))
        for role in roles:
            key = ec.generate_private_key(ec.SECP256R1())
            name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, role)])
            (folder / f"{role}.pem").write_bytes(self._signed(name, key))
            (folder / f"{role}-key.pem").write_bytes(
                key.private_bytes(
                    serialization.Encoding.PEM,
                    serialization.PrivateFormat.PKCS8,
                    serialization.NoEncryption(),
                )
            )

    def _signed(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, is_authority: bool = False) -> bytes:
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM)


def _start(text: str, address: str, folder: Path) -> subprocess.Popen[bytes]:
    """Run a machine's program as systemd would, with the folders it names below `folder`."""
    (program,) = [each["content"] for each in yaml.safe_load(text)["write_files"] if "lib/rampart" in each["path"]]
    bin_folder = folder / f"bin-{address}"
    bin_folder.mkdir()
    (bin_folder / "hostname").write_text(f"#!/bin/sh\necho '{address} 2001:db8::1 '\n")
    (bin_folder / "hostname").chmod(0o755)
    program = program.replace(user_data.CERTIFICATES, str(folder / "certificates"))
    program = program.replace("/var/lib/rampart-dask", str(folder / f"state-{address}"))
    (folder / address).write_text(program)
    environment = {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "HOME": str(folder),
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true",
    }
    with (folder / f"{address}.log").open("wb") as log:
        return subprocess.Popen(
            ["/bin/sh", str(folder / address)], env=environment, stdout=log, stderr=log, start_new_session=True
        )


def _ask(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=150, check=False
    )


@dataclass(frozen=True)
class Cluster:
    """A cluster that is up: its certificates, and what it told one who had them."""

    certificates: Path
    told: list[str]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Scheduler and worker, started as their user data starts them."""
    folder = tmp_path_factory.mktemp("cluster")
    certificates = folder / "certificates"
    Authority().give(certificates, "scheduler", "worker", "client")
    texts = {
        SCHEDULER: user_data.dask_scheduler(user="ubuntu", lifetime_s=3600, prefix=sys.prefix),
        WORKER: user_data.dask_worker(user="ubuntu", lifetime_s=3600, prefix=sys.prefix, scheduler=SCHEDULER),
    }
    started = [_start(text, address, folder) for address, text in texts.items()]
    try:
        asked = _ask(ASK, f"tls://{SCHEDULER}:8786", str(certificates))
        assert asked.returncode == 0, asked.stderr + (folder / f"{WORKER}.log").read_text()
        yield Cluster(certificates, asked.stdout.splitlines())
    finally:
        for process in reversed(started):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_worker_takes_one_submission_at_a_time_and_runs_it(cluster: Cluster) -> None:
    assert cluster.told == [f"1 {{'SUBMISSION': 1.0}} {WORKER}", "42"]


@pytest.mark.parametrize("scheme", ["tcp", "tls"])
def test_nobody_gets_an_answer_without_a_certificate(cluster: Cluster, scheme: str) -> None:
    assert cluster.told
    assert _ask(ASK_IN_THE_CLEAR, f"{scheme}://{SCHEDULER}:8786").returncode == 1


def test_another_authoritys_certificate_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    stranger = tmp_path / "certificates"
    Authority().give(stranger, "client")
    shutil.copy(cluster.certificates / "ca.pem", stranger / "ca.pem")

    asked = _ask(ASK.replace("timeout=60", "timeout=3"), f"tls://{SCHEDULER}:8786", str(stranger))

    assert (asked.returncode, asked.stdout) == (1, "")
