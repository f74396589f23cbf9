"""Deploy a Pulumi program into the local cloud, remembering what it made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from localcloud.deployer import ledger as ledgers
from localcloud.deployer.connection import Connection
from localcloud.deployer.ledger import Ledger
from localcloud.deployer.progress import Change, Deployment, Watcher, summarise
from localcloud.deployer.reconciler import Reconciler


def _unwatched(change: Change) -> None:
    """Tell nobody."""


class Deployer:
    """One stack's deployments. `environment` is the local cloud's; nothing else decides where resources are made."""

    def __init__(self, state_path: Path, environment: Mapping[str, str], *, on_progress: Watcher = _unwatched) -> None:
        self._path = state_path
        self._environment = environment
        self._watcher = on_progress

    def up(self, program: Callable[[], Mapping[str, Any]], *, project: str, stack: str) -> Deployment:
        """Create what the program declares and the cloud lacks, replace what differs, delete what is gone from it.

        Raises what the program raises, CloudError for what the cloud refuses, AskedWrongly for a type there is no
        handler for. What was made until then is remembered: the next `up` goes on, `destroy` removes it.
        """
        from localcloud.deployer import running
        from localcloud.deployer.monitor import Monitor

        began = time.monotonic()
        with ledgers.alone(self._path), self._connection() as connection:
            ledger = Ledger(self._path, project, stack)
            reconciler = Reconciler(ledger, connection, self._watcher)
            monitor = Monitor(reconciler, connection)
            running.run(program, monitor, project=project, stack=stack, stop=reconciler.stop)
            reconciler.delete_the_rest()
            ledger.outputs = monitor.outputs.shown()
            ledger.save()
            return summarise(reconciler.changes, ledger.outputs, time.monotonic() - began)

    def destroy(self) -> Deployment:
        """Delete everything the stack has made, in reverse order of dependency; twice is fine."""
        began = time.monotonic()
        with ledgers.alone(self._path), self._connection() as connection:
            if not self._path.exists():
                return summarise([], {}, time.monotonic() - began)
            known = ledgers.read(self._path)
            ledger = Ledger(self._path, known.project, known.stack)
            reconciler = Reconciler(ledger, connection, self._watcher)
            reconciler.delete_everything()
            ledger.forget()
            return summarise(reconciler.changes, {}, time.monotonic() - began)

    def outputs(self) -> dict[str, Any]:
        """Give the outputs of the last `up` that succeeded; {} where there was none."""
        return ledgers.read(self._path).outputs if self._path.exists() else {}

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        connection = Connection(self._environment)
        try:
            yield connection
        finally:
            connection.close()
