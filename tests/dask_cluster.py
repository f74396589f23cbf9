"""A Dask cluster of real processes on loopback whose parts can be ended and started anew, with TLS or without."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from clients.certificates import Authority
from contracts.dask import Scheduler, TlsFiles
from contracts.dask_machines import DaskRole
from tests import warm
from tests.warm import Program

RESOURCE = ("--resources", "SUBMISSION=1")


class DaskCluster:
    """A scheduler that may be replaced, and workers by name. Each worker's `home` is a machine to us."""

    def __init__(self, folder: Path, *, is_encrypted: bool = True) -> None:
        self._folder = folder
        self._is_encrypted = is_encrypted
        self._port = free_port()
        authority = Authority(folder / "tls", stack="tests", now=lambda: datetime.now(UTC))
        authority.renew()
        self.client = authority.client()
        self._tls = {role: self._issued(authority, role) for role in (DaskRole.SCHEDULER, DaskRole.WORKER)}
        self._processes: dict[str, ForkServerProcess] = {}

    @property
    def scheduler(self) -> Scheduler:
        return Scheduler(f"tls://127.0.0.1:{self._port}", self.client) if self._is_encrypted else self._plain

    @property
    def unencrypted(self) -> str:
        return self._plain.address

    @property
    def _plain(self) -> Scheduler:
        return Scheduler(f"tcp://127.0.0.1:{self._port}")

    def start_scheduler(self) -> None:
        protocol = "tls" if self._is_encrypted else "tcp"
        options = ["--port", str(self._port), "--host", "127.0.0.1", "--no-dashboard", "--protocol", protocol]
        self._start("scheduler", ["scheduler", *options, *self._shown(DaskRole.SCHEDULER)], self._folder)

    def start_worker(self, name: str, *, home: Path | None = None, options: tuple[str, ...] = RESOURCE) -> None:
        home = home or self._folder / name
        home.mkdir(exist_ok=True)
        words = [self.scheduler.address, "--no-dashboard", "--nthreads", "1", "--no-nanny", "--memory-limit", "0"]
        self._start(name, ["worker", *words, *options, *self._shown(DaskRole.WORKER)], home)

    def start_workers_as_ramp_says(self, name: str, count: int) -> None:
        """So many on one machine, by the command of RAMP's documentation, which knows nothing of us."""
        self.home_of(name).mkdir()
        words = ["worker", self.scheduler.address, "--nworkers", str(count)]
        self._start(name, words, self.home_of(name))

    def home_of(self, name: str) -> Path:
        return self._folder / name

    def pid(self, name: str) -> int:
        pid = self._processes[name].pid
        assert pid is not None
        return pid

    def kill(self, name: str) -> None:
        """End a process without a farewell, nannies with their workers; what it started detached goes on."""
        pid = self.pid(name)
        process = self._processes.pop(name)
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(pid, signal.SIGKILL)
        process.join()

    def lose(self, name: str) -> None:
        """End a worker with everything that runs below its home, as a machine that is gone."""
        self.kill(name)
        self._end_below(self.home_of(name))

    def close(self) -> None:
        for name in list(self._processes):
            self.kill(name)
        self._end_below(self._folder)

    def _start(self, name: str, words: list[str], home: Path) -> None:
        self._processes[name] = warm.start_with_log(
            Program.DASK,
            words,
            folder=home,
            variables={"PATH": os.environ["PATH"], "HOME": str(home)},
            log=self._folder / f"{name}.log",
        )

    def _issued(self, authority: Authority, role: DaskRole) -> TlsFiles:
        issued = authority.issue(role, role)
        files = TlsFiles(*(self._folder / f"{role}-{part}.pem" for part in ("ca", "own", "key")))
        texts = (issued.authority, issued.certificate, issued.key)
        for path, text in zip((files.authority, files.certificate, files.key), texts, strict=True):
            path.write_text(text, encoding="ascii")
        return files

    def _shown(self, role: DaskRole) -> list[str]:
        tls = self._tls[role]
        files = {"--tls-ca-file": tls.authority, "--tls-cert": tls.certificate, "--tls-key": tls.key}
        return [word for option, path in files.items() for word in (option, str(path)) if self._is_encrypted]

    def _end_below(self, folder: Path) -> None:
        """End what bears the mark of a job below a folder."""
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if f"{folder}/.rampart/jobs/".encode() in (entry / "environ").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)


@contextmanager
def dask_cluster(folder: Path, *, workers: int = 2, is_encrypted: bool = True) -> Iterator[DaskCluster]:
    """Start a scheduler and so many workers."""
    cluster = DaskCluster(folder, is_encrypted=is_encrypted)
    try:
        cluster.start_scheduler()
        for number in range(workers):
            cluster.start_worker(f"worker{number}")
        yield cluster
    finally:
        cluster.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
