"""Deploy a Pulumi program into the local cloud, remembering what it made."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.deployer import ledger as ledgers
from localcloud.deployer.connection import Connection
from localcloud.deployer.hands import Foresight, Hands
from localcloud.deployer.ledger import Draft, Ledger
from localcloud.deployer.progress import Change, Deployment, Watcher, summarise
from localcloud.deployer.reconciler import Reconciler

if TYPE_CHECKING:
    from localcloud.deployer.running import Program, Run


def _unwatched(change: Change) -> None:
    """Tell nobody."""


class Deployer:
    """One stack's deployments. `environment` is the local cloud's; nothing else decides where resources are made."""

    def __init__(self, state_path: Path, environment: Mapping[str, str], *, on_progress: Watcher = _unwatched) -> None:
        self._path = state_path
        self._environment = environment
        self._watcher = on_progress

    def up(self, program: Program, *, project: str, stack: str, secrets: Mapping[str, str] | None = None) -> Deployment:
        """Create what the program declares and the cloud lacks, replace what differs, delete what is gone from it.

        `secrets` is what `pulumi.Config(project)` gives the program, by name; no value of it is written down.
        Raises what the program raises, CloudError for what the cloud refuses, AskedWrongly for a type there is no
        handler for. What was made until then is remembered: the next `up` goes on, `destroy` removes it.
        """
        from localcloud.deployer.running import Run

        return self._deployed(program, Run(project, stack, secrets or {}))

    def preview(
        self, program: Program, *, project: str, stack: str, secrets: Mapping[str, str] | None = None
    ) -> Deployment:
        """Tell what `up` would do. The cloud is asked and not changed, and nothing is remembered.

        What depends on a value that only a deployment can tell counts as changed. Raises as `up` does.
        """
        from localcloud.deployer.running import Run

        return self._deployed(program, Run(project, stack, secrets or {}, is_preview=True))

    def refresh(self) -> Deployment:
        """Forget what the cloud no longer has; the next `up` makes it again."""
        return self._alone_with(Reconciler.forget_what_is_gone)

    def destroy(self) -> Deployment:
        """Delete everything the stack has made, in reverse order of dependency; twice is fine."""

        def delete(reconciler: Reconciler) -> None:
            reconciler.delete_everything()
            self._path.unlink(missing_ok=True)

        return self._alone_with(delete)

    def outputs(self) -> dict[str, Any]:
        """Give the outputs of the last `up` that succeeded; {} where there was none."""
        return ledgers.read(self._path).outputs if self._path.exists() else {}

    def _deployed(self, program: Program, run: Run) -> Deployment:
        from localcloud.deployer import running
        from localcloud.deployer.monitor import Monitor

        began = time.monotonic()
        planned = run.is_preview
        with ledgers.alone(self._path), self._connection() as connection:
            ledger = (Draft if planned else Ledger)(self._path, run.project, run.stack)
            hands = (Foresight if planned else Hands)(connection)
            reconciler = Reconciler(ledger, hands, self._watcher, is_planned=planned)
            monitor = Monitor(reconciler, connection)
            running.run(program, monitor, run, stop=reconciler.stop)
            reconciler.delete_the_rest()
            ledger.outputs = monitor.outputs.shown()
            ledger.save()
            return summarise(reconciler.changes, ledger.outputs, time.monotonic() - began)

    def _alone_with(self, act: Callable[[Reconciler], None]) -> Deployment:
        """Act on what is remembered, without a program."""
        began = time.monotonic()
        with ledgers.alone(self._path), self._connection() as connection:
            if not self._path.exists():
                return summarise([], {}, time.monotonic() - began)
            known = ledgers.read(self._path)
            ledger = Ledger(self._path, known.project, known.stack)
            reconciler = Reconciler(ledger, Hands(connection), self._watcher)
            act(reconciler)
            return summarise(reconciler.changes, {}, time.monotonic() - began)

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        connection = Connection(self._environment)
        try:
            yield connection
        finally:
            connection.close()
