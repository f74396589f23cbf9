"""A Dask cluster on this machine: up with its loop, gone with it, and strangers kept out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.dask import Scheduler
from contracts.errors import HostUnreachable
from runner.dask.clusters.keeper import Keeper, clean_environment
from runner.dask.clusters.local_cluster import LocalProcesses

PROGRAM = Path(sys.modules[LocalProcesses.__module__].__file__ or "").parents[1] / "keepers" / "local_keeper.py"
SECRET = {"AWS_SECRET_ACCESS_KEY": "hunter2", "RAMPART_DATABASE_URL": "postgresql://ramp:hunter2@db/ramp"}

ASK = """
import json, os, subprocess, sys
from distributed import Client, get_worker
from distributed.security import Security
address, ca, cert, key, pid_file = sys.argv[1:]

def look():
    child = subprocess.Popen(["sleep", "600"], start_new_session=True, stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with open(pid_file, "w") as file:
        file.write(str(child.pid))
    worker = get_worker()
    return {"environment": dict(os.environ), "resources": worker.state.total_resources, "pid": os.getpid(),
            "nthreads": worker.state.nthreads, "home": os.path.expanduser("~"), "parent": os.getppid()}

tls = Security(tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key, require_encryption=True)
with Client(address, security=tls, timeout=30) as client:
    print(json.dumps(client.submit(look, resources={"SUBMISSION": 1}).result(timeout=30)))
"""
ASK_IN_THE_CLEAR = """
import sys
from distributed import Client
Client(sys.argv[1], timeout=1)
"""
OWNER = """
import os, sys
from datetime import UTC, datetime
from pathlib import Path
from runner.dask.clusters.local_cluster import LocalProcesses
cluster = LocalProcesses(Path(sys.argv[1]), home=Path(sys.argv[2]), least=1, most=1, stack="iris",
    now=lambda: datetime.now(UTC))
cluster.scheduler()
print(cluster._up.keeper.pid, flush=True)
sys.stdin.read()
"""


def _ask(program: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=60, check=False
    )


def _processes(session: int) -> set[int]:
    """The live processes of a session."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.add(int(stat.parent.name))
    return found


def _until(happens: Callable[[], object], within_s: float = 20.0) -> None:
    end = time.monotonic() + within_s
    while not happens():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


class Local:
    """A cluster with its scheduler, and what a task on its worker saw."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home = folder / "dask-local", folder / "home"
        self.cluster = LocalProcesses(
            self.folder,
            home=self.home,
            least=2,
            most=3,
            stack="iris",
            now=lambda: datetime.now(UTC),
            environment={**os.environ, **SECRET},
        )
        self.scheduler: Scheduler = self.cluster.scheduler()
        self.pid_file = folder / "detached.pid"
        tls = self.scheduler.tls
        assert tls is not None
        asked = _ask(
            ASK, self.scheduler.address, str(tls.authority), str(tls.certificate), str(tls.key), str(self.pid_file)
        )
        assert asked.returncode == 0, asked.stderr
        self.seen = json.loads(asked.stdout)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    local = Local(tmp_path_factory.mktemp("local"))
    yield local
    local.cluster.close()
    if local.pid_file.exists():
        os.kill(int(local.pid_file.read_text()), signal.SIGKILL)


def test_a_worker_runs_one_submission_at_a_time(local: Local) -> None:
    assert (local.seen["nthreads"], local.seen["resources"]) == (1, {"SUBMISSION": 1.0})


def test_a_worker_has_none_of_the_dispatchers_variables(local: Local) -> None:
    assert "hunter2" not in json.dumps(local.seen["environment"])
    assert local.seen["home"] == str(local.home)


def test_its_files_are_its_owners_alone(local: Local) -> None:
    tls = local.scheduler.tls
    assert tls is not None
    assert local.folder.stat().st_mode & 0o077 == 0
    for key in (*tls.key.parent.glob("*key*.pem"),):
        assert key.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("scheme", ["tls", "tcp"])
def test_nobody_gets_an_answer_without_a_certificate(local: Local, scheme: str) -> None:
    address = local.scheduler.address.replace("tls://", f"{scheme}://")
    assert _ask(ASK_IN_THE_CLEAR, address).returncode == 1


def test_it_has_as_many_workers_as_are_wanted_within_its_bounds(local: Local) -> None:
    assert len(local.cluster.workers()) == 2
    local.cluster.scale(5)
    _until(lambda: len(local.cluster.workers()) == 3)
    local.cluster.scale(0)
    _until(lambda: len(local.cluster.workers()) == 2)


def test_closing_ends_all_its_processes_but_what_a_worker_started_detached(local: Local) -> None:
    session = os.getsid(local.seen["pid"])
    assert {session, local.seen["parent"]} <= _processes(session)

    local.cluster.close()
    local.cluster.close()

    _until(lambda: not _processes(session))  # what Python itself started beside a keeper hears of its end
    assert list(local.folder.iterdir()) == []
    os.kill(int(local.pid_file.read_text()), 0)


@pytest.mark.parametrize("end", ["its owner is killed", "it is told to"])
def test_it_ends_when(end: str, tmp_path: Path) -> None:
    folder, home = tmp_path / "dask-local", tmp_path / "home"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder), str(home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=PROGRAM.parents[3],
    )
    assert owner.stdin is not None
    assert owner.stdout is not None
    keeper = int(owner.stdout.readline())

    if end == "it is told to":
        os.kill(keeper, signal.SIGTERM)
        _until(lambda: not _processes(keeper))
    owner.kill()
    owner.wait()
    for pipe in (owner.stdin, owner.stdout):
        pipe.close()

    _until(lambda: not _processes(keeper))
    assert list(folder.iterdir()) == []


def test_a_keeper_that_fails_says_why(tmp_path: Path) -> None:
    environment = clean_environment(os.environ, tmp_path)
    with pytest.raises(HostUnreachable, match="KeyError: 'folder'"):
        Keeper(PROGRAM, {}, environment=environment, log=tmp_path / "log", start_s=30)
