"""Bring the cloud, one resource at a time, into the state a program declares."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from contracts.errors import AskedWrongly, CloudError
from localcloud.deployer import table
from localcloud.deployer.connection import Connection
from localcloud.deployer.handler import Handler, Made, Wanted
from localcloud.deployer.ledger import Entry, Ledger
from localcloud.deployer.progress import Action, Change, Watcher
from localcloud.deployer.wire import Properties


class Stopped(Exception):
    """The deployment is ending early: nothing more is begun."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A resource as the program declares it."""

    urn: str
    type: str
    name: str
    region: str
    properties: Properties
    dependencies: tuple[str, ...]
    retained: bool
    replace_first: bool
    ignored: frozenset[str]


class Reconciler:
    """Compares each declaration with the ledger, acts on the cloud, writes the ledger before it answers.

    One resource at a time, under a lock: what is in the ledger is what is in the cloud, also when the program fails,
    because a call that has begun is always waited for.
    """

    def __init__(self, ledger: Ledger, connection: Connection, watcher: Watcher) -> None:
        self.changes: list[Change] = []
        self._ledger = ledger
        self._connection = connection
        self._watcher = watcher
        self._declared: set[str] = set()
        self._replacing: set[str] = set()
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()

    def settle(self, declared: Declaration) -> tuple[str, Properties]:
        """Make a declaration true; gives the resource's id and every property of it."""
        with self._lock:
            if self._stopping.is_set():
                raise Stopped
            handler = table.handler_of(declared.type)
            began = time.monotonic()
            entry, action = self._settle(declared, handler)
            self._tell(entry, action, began)
        values = {**declared.properties.values, **entry.outputs}
        return entry.id, Properties(values, declared.properties.secrets)

    def declare_once(self, urn: str) -> None:
        """Take note of a URN; raises AskedWrongly at the second time, which Pulumi's engine refuses too."""
        with self._lock:
            if urn in self._declared:
                raise AskedWrongly(f"the program declares {urn} twice", hint="give each resource a name of its own")
            self._declared.add(urn)

    def delete_the_rest(self) -> None:
        """Delete what was superseded and what is no longer declared."""
        for entry in self._ledger.deletion_order():
            if entry.superseded:
                self._remove(entry)
            elif entry.urn not in self._declared:
                self._delete(entry)

    def delete_everything(self) -> None:
        """Delete all that was ever made here and not retained."""
        for entry in self._ledger.deletion_order():
            self._delete(entry)

    def _settle(self, declared: Declaration, handler: Handler) -> tuple[Entry, Action]:
        old = self._ledger.live(declared.urn)
        if old is None:
            action = Action.REPLACED if declared.urn in self._replacing else Action.CREATED
            return self._create(declared, handler), action
        if not self._exists(old, handler):
            self._ledger.remove(old)
            return self._create(declared, handler), Action.CREATED
        if self._is_same(old, declared):
            current = replace(old, dependencies=declared.dependencies, retained=declared.retained)
            self._ledger.change(old, current)
            return current, Action.UNCHANGED
        if handler.joins or declared.replace_first:
            self._make_way(old)
        else:
            self._ledger.supersede(old)
        return self._create(declared, handler), Action.REPLACED

    def _is_same(self, old: Entry, declared: Declaration) -> bool:
        def compared(inputs: dict[str, Any]) -> dict[str, Any]:
            return {name: value for name, value in inputs.items() if name not in declared.ignored}

        return (
            old.region == declared.region
            and compared(old.inputs) == compared(declared.properties.shown())
            and compared(old.digests) == compared(self._ledger.digests(declared.properties))
        )

    def _make_way(self, old: Entry) -> None:
        """Remove a resource that cannot stand beside its successor, and before it what was built on it."""
        for dependent in self._ledger.dependents(old):
            self._replacing.add(dependent.urn)
            self._remove(dependent)
        self._remove(old)

    def _create(self, declared: Declaration, handler: Handler) -> Entry:
        inputs = handler.named(declared.name, declared.properties.values)
        wanted = Wanted(declared.name, declared.region, inputs, self._connection)
        with _refusals(f"create {declared.type} {declared.name}"):
            created = handler.create(wanted)
        given = {handler.name_input: inputs[handler.name_input]} if handler.name_input else {}
        entry = Entry(
            urn=declared.urn,
            type=declared.type,
            name=declared.name,
            id=created.id,
            region=declared.region,
            inputs=declared.properties.shown(),
            outputs={**given, **created.outputs},
            digests=self._ledger.digests(declared.properties),
            dependencies=declared.dependencies,
            retained=declared.retained,
        )
        self._ledger.add(entry)
        return entry

    def _exists(self, entry: Entry, handler: Handler) -> bool:
        with _refusals(f"look for {entry.type} {entry.name}"):
            return handler.exists(self._made(entry))

    def _delete(self, entry: Entry) -> None:
        began = time.monotonic()
        self._remove(entry)
        self._tell(entry, Action.RETAINED if entry.retained else Action.DELETED, began)

    def _remove(self, entry: Entry) -> None:
        if self._stopping.is_set():
            raise Stopped
        if not entry.retained:
            with _refusals(f"delete {entry.type} {entry.name}"):
                table.handler_of(entry.type).remove(self._made(entry))
        self._ledger.remove(entry)

    def _made(self, entry: Entry) -> Made:
        return Made(entry.id, entry.region, entry.inputs, entry.outputs, self._connection)

    def _tell(self, entry: Entry, action: Action, began: float) -> None:
        change = Change(entry.name, entry.type, action, time.monotonic() - began)
        self.changes.append(change)
        self._watcher(change)


@contextmanager
def _refusals(doing: str) -> Iterator[None]:
    """Turn botocore's errors into CloudError: `doing` completes the sentence "could not ..."."""
    try:
        yield
    except ClientError as error:
        answer = error.response.get("Error", {})
        code = answer.get("Code", "")
        raise CloudError(
            f"could not {doing}: {answer.get('Message', error)} [{code}]", code=code, hint=_AGAIN
        ) from error
    except BotoCoreError as error:
        raise CloudError(f"could not {doing}: {error}", code=type(error).__name__, hint=_AGAIN) from error
    except KeyError as error:
        raise AskedWrongly(f"could not {doing}: the local deployer needs the property {error}") from error


_AGAIN = "what was made so far is remembered: up goes on from there, destroy removes it"
