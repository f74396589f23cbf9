"""Give each run a worker object of the organiser's own class."""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from contracts.errors import AskedWrongly, HostUnreachable, RunLost
from contracts.event import EventConfig
from contracts.work import Claimed, HostAddress, HostLayout, Provisioned, Work
from runner.interruption import Interruption
from runner.ports import Transport
from runner.workers.base import BaseWorker

_log = logging.getLogger(__name__)
GROUP = "rampart.workers"
"""Entry points of this group name worker classes."""

_SECRETS = ("access_key_id", "secret_access_key")

MakeWorker = Callable[[dict[str, Any], str], BaseWorker]


class WorkerBroken(AskedWrongly):
    """The code of an organiser's own worker raised, or does not do what a worker must."""


class OwnWorkers:
    """The host pool whose hosts are worker objects; they live as long as this process does."""

    def __init__(self, event: EventConfig, make: MakeWorker) -> None:
        self._config = worker_config(event)
        self._name = event.worker.worker_type
        self._make = make
        self._workers: dict[str, BaseWorker] = {}
        self._lock = threading.Lock()

    def acquire(self, claimed: Claimed, interruption: Interruption | None = None) -> Provisioned:  # noqa: ARG002
        """Make the run's worker and set it up. Raises WorkerBroken, after it was torn down again."""
        work = claimed.work
        host = HostAddress(host_id=self._name, address="", user="")
        provisioned = Provisioned(claimed=claimed, host=host, layout=HostLayout("", "", "", ""))
        with own_code(self._name, "__init__"):
            worker = self._make(dict(self._config), work.submission_key)
        with self._lock:
            self._workers[_key(work)] = worker
        try:
            with own_code(self._name, "setup"):
                worker.setup()
        except WorkerBroken:
            self.release(provisioned)
            raise
        return provisioned

    def worker_of(self, provisioned: Provisioned) -> BaseWorker:
        """The run's worker. Raises RunLost where it died with another dispatcher."""
        with self._lock:
            worker = self._workers.get(_key(provisioned.claimed.work))
        if worker is None:
            raise RunLost(f"the run's worker ({self._name}) ended with its dispatcher")
        return worker

    def connect(self, provisioned: Provisioned) -> Transport:  # noqa: ARG002 - there is nothing to connect to
        raise HostUnreachable(f"a run of worker {self._name} cannot be connected to")

    def is_gone(self, provisioned: Provisioned) -> bool:
        with self._lock:
            return _key(provisioned.claimed.work) not in self._workers

    def release(self, provisioned: Provisioned) -> None:
        """Tear the run's worker down."""
        self.tear_down(provisioned.claimed.work)

    def tear_down(self, work: Work) -> None:
        """Tear the worker down, once; what it raises is logged, since nobody could do better later."""
        with self._lock:
            worker = self._workers.pop(_key(work), None)
        if worker is None:
            return
        try:
            with own_code(self._name, "teardown"):
                worker.teardown()
        except WorkerBroken as error:
            _log.error("%s", error, extra={"action": "teardown-failed"})


@contextmanager
def own_code(name: str, method: str) -> Iterator[None]:
    """Turn what an organiser's code raises into WorkerBroken."""
    try:
        yield
    except Exception as error:
        _log.warning("%s.%s() raised", name, method, exc_info=error, extra={"action": "worker-broken"})
        message = f"worker {name}: {method}() raised {type(error).__name__}: {error}"
        raise WorkerBroken(message, hint="mend the worker; the dispatcher's log has the traceback") from error


def own_workers(event: EventConfig) -> OwnWorkers | None:
    """Import the event's own worker class and make its pool; None where the worker type names none.

    `package.module:Class` is looked for where Python looks, then in the deployment folder. Raises AskedWrongly.
    """
    name = event.worker.worker_type
    entry = next(iter(metadata.entry_points(group=GROUP, name=name)), None)
    if entry is None and ":" not in name:
        return None
    if str(event.deployment) not in sys.path:
        sys.path.append(str(event.deployment))
    return OwnWorkers(event, _class_named(entry.value if entry is not None else name, event))


def _class_named(target: str, event: EventConfig) -> type[BaseWorker]:
    module, _, attribute = target.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # importing runs the organiser's code
        hint = f"install it beside Rampart, or put it into {event.deployment}"
        raise AskedWrongly(f"worker {target} cannot be imported: {type(error).__name__}: {error}", hint=hint) from error
    if not (isinstance(found, type) and issubclass(found, BaseWorker)):
        raise AskedWrongly(f"worker {target} is no subclass of runner.workers.BaseWorker", hint="change its base class")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(found.__abstractmethods__))
        raise AskedWrongly(f"worker {target} lacks {missing}", hint="docs/how-to/write-a-worker.md")
    return found


def worker_config(event: EventConfig) -> dict[str, Any]:
    """What RAMP hands to a worker: the keys of section `worker` as written, with limits and the event's folders."""
    worker = event.worker
    written = worker.model_dump(mode="json", exclude_unset=True, exclude={"hooks", *_SECRETS})
    secrets = {name: secret.get_secret_value() for name in _SECRETS if (secret := getattr(worker, name)) is not None}
    config = written | secrets
    config |= {"event_name": event.name, "problem_name": event.ramp.problem_name}
    config |= {"timeout": worker.timeout, "n_threads": event.dispatcher.n_threads}
    folders = ("kit_dir", "data_dir", "submissions_dir", "predictions_dir", "logs_dir")
    return config | {name: str(getattr(event.ramp, name)) for name in folders}


def _key(work: Work) -> str:
    return f"{work.submission_key}-{work.attempt}"
