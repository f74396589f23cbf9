"""Have a Dask cluster on this machine, for as long as a loop lives."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from clients.certificates import Authority
from contracts.dask import Scheduler
from contracts.dask_machines import DaskRole
from contracts.errors import HostUnreachable
from contracts.event import EventConfig
from runner import process_name
from runner.dask.clusters.keeper import Keeper, clean_environment

_PROGRAM = Path(__file__).parents[1] / "keepers" / "local_keeper.py"
_START_S = 120.0
_ADDRESS = re.compile(r"tls://127\.0\.0\.1:\d{1,5}")
_OWNER = "owner"


@dataclass(frozen=True, slots=True)
class _Up:
    """One start of the cluster."""

    keeper: Keeper
    folder: Path


class LocalProcesses:
    """Worker processes with TLS, from `least` to `most` of them; their home is `home`, their environment is clean.

    In `folder`, which only its owner may enter, each cluster has a folder of its own with an authority of its own. The
    workers end with this process; what they started detached goes on.
    """

    def __init__(
        self,
        folder: Path,
        *,
        home: Path,
        least: int,
        most: int,
        stack: str,
        now: Callable[[], datetime],
        environment: Mapping[str, str] = os.environ,
    ) -> None:
        self._folder = folder
        self._home = home
        self._least = least
        self._most = most
        self._stack = stack
        self._now = now
        self._environment = environment
        self._starting = threading.Lock()
        self._wanted = 0
        self._up: _Up | None = None
        self._is_closed = False

    def scheduler(self) -> Scheduler:
        """Have the cluster up, another one where its keeper has ended. Raises CloudError or HostUnreachable."""
        with self._starting:
            if self._is_closed:
                raise HostUnreachable("the Dask cluster of this loop is closed")
            up = self._up
            if up is None or not up.keeper.is_alive:
                self._end()
                self._up = up = self._started()
            scheduler = Scheduler(_address(up.keeper.told), self._authority(up.folder).client())
        self.scale(self._wanted)
        return scheduler

    def scale(self, wanted: int, busy: Collection[str] | None = None) -> None:  # noqa: ARG002 - its keeper knows better
        """Have as many workers, within the bounds; those with a run stay. Raises CloudError or HostUnreachable."""
        self._wanted = wanted
        up = self._up
        if up is not None and up.keeper.is_alive:
            up.keeper.ask("scale", n=wanted)

    def workers(self) -> list[str]:
        """The addresses of the workers that are up; none before the cluster is. Raises CloudError, HostUnreachable."""
        up = self._up
        return [] if up is None else list(up.keeper.ask("workers")["workers"])

    def close(self) -> None:
        """End scheduler and workers; doing it twice is fine."""
        with self._starting:
            self._is_closed = True
            self._end()

    def _started(self) -> _Up:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder.chmod(0o700)
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        _remove_leftovers(self._folder)
        own = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            (own / _OWNER).write_text(process_name.own_name())
            settings = {
                "folder": str(own),
                "least": self._least,
                "most": self._most,
                "security": self._security(own),
            }
            environment = clean_environment(self._environment, self._home)
            keeper = Keeper(_PROGRAM, settings, environment=environment, log=own / "keeper.log", start_s=_START_S)
        except BaseException:
            shutil.rmtree(own, ignore_errors=True)
            raise
        return _Up(keeper, own)

    def _end(self) -> None:
        up, self._up = self._up, None
        if up is not None:
            up.keeper.close()
            shutil.rmtree(up.folder, ignore_errors=True)  # its keeper has done so, unless it was killed

    def _authority(self, own: Path) -> Authority:
        return Authority(own / "tls", stack=self._stack, now=self._now)

    def _security(self, own: Path) -> dict[str, str]:
        """Make the cluster's certificates; gives the files by distributed's names."""
        authority = self._authority(own)
        authority.renew()
        client = authority.client()
        files = {
            "tls_ca_file": client.authority,
            "tls_client_cert": client.certificate,
            "tls_client_key": client.key,
        }
        for role in (DaskRole.SCHEDULER, DaskRole.WORKER):
            issued = authority.issue(role, role)
            for kind, text in (("cert", issued.certificate), ("key", issued.key)):
                files[f"tls_{role}_{kind}"] = path = own / "tls" / f"{role}-{kind}.pem"
                path.touch(mode=0o600)
                path.write_text(text, encoding="ascii")
        return {name: str(path) for name, path in files.items()}


def local_processes(event: EventConfig, *, now: Callable[[], datetime]) -> LocalProcesses:
    """The event's cluster on this machine; its runs have the same home as those of `worker_type: conda`."""
    return LocalProcesses(
        event.state_dir / "dask-local",
        home=event.state_dir / "host",
        least=event.worker.folds_at_a_time,  # a run takes those that are there when it begins
        most=event.n_workers * event.worker.folds_at_a_time,
        stack=event.name,
        now=now,
    )


def _address(told: Mapping[str, Any]) -> str:
    """Strangers' code may run where the keeper does: what it says is looked at."""
    address = str(told.get("address"))
    if not _ADDRESS.fullmatch(address):
        raise HostUnreachable(f"the keeper of the Dask cluster tells an address that is none: {address[:80]!r}")
    return address


def _remove_leftovers(folder: Path) -> None:
    """Remove the folders of clusters whose owners were killed, and their keepers with them."""
    for each in folder.iterdir():
        owner = each / _OWNER
        if owner.is_file() and process_name.is_dead(owner.read_text()):
            shutil.rmtree(each, ignore_errors=True)
