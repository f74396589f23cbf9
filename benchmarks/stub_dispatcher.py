"""Serve an event whose hosts are all one stub, in a process whose CPU time or memory can be told from others'."""

from __future__ import annotations

import resource
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.stub_host import LAYOUT
from clients import ssh
from clients.keepalive import Keepalive
from contracts.event import Dispatcher as DispatcherSettings
from contracts.event import EventConfig, HungerPolicy
from contracts.work import Claimed, HostAddress, Provisioned
from runner import app
from runner.interruption import Interruption
from runner.ports import Transport
from tests.contract import store_fixtures

_OPEN_FILES = 8192


def event_at(folder: Path, url: str, n_workers: int) -> EventConfig:
    """The event both the measuring and the serving process speak of."""
    event = store_fixtures.event_in(folder, url)
    settings = DispatcherSettings(n_workers=n_workers, hunger_policy=HungerPolicy.EXIT, time_between_collection=1)
    worker = event.worker.model_copy(update={"timeout": timedelta(hours=1).total_seconds()})
    return event.model_copy(update={"dispatcher": settings, "worker": worker})


class OneStub:
    """The host pool whose hosts all answer at one place."""

    def __init__(self, folder: Path, port: int) -> None:
        self._key_path = folder / "client_key"
        self._host_key = (folder / "host_key.pub").read_text()
        self._port = port

    def acquire(self, claimed: Claimed, interruption: Interruption | None = None) -> Provisioned:  # noqa: ARG002
        host_id = f"i-{claimed.work.submission_id:017x}"
        host = HostAddress(host_id, "127.0.0.1", "ubuntu", self._port, self._host_key, self._key_path)
        return Provisioned(claimed, host, LAYOUT)

    def connect(self, provisioned: Provisioned) -> Transport:
        return ssh.connect(provisioned.host, keepalive=Keepalive(answer_s=300))

    def is_gone(self, provisioned: Provisioned) -> bool:  # noqa: ARG002 - a stub lives as long as the measurement
        return False

    def release(self, provisioned: Provisioned) -> None:
        """It is nobody's."""


def main() -> None:
    """Serve until the queue is empty; as many connections as runs may be open."""
    folder, port, url, n_workers = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_OPEN_FILES, hard), hard))
    event = event_at(folder, url, n_workers)
    store = app.open_store(event)
    dispatcher = app.make_dispatcher(
        event,
        store=store,
        hosts=OneStub(folder, port),
        interruption=Interruption(),
        observe=lambda _: None,
    )
    print(datetime.now(UTC).isoformat(), flush=True)
    print(dispatcher.serve(), flush=True)


if __name__ == "__main__":
    main()
