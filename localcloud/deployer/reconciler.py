"""Bring the cloud, one resource at a time, into the state a program declares."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

from contracts.errors import AskedWrongly
from localcloud.deployer import ignoring, table
from localcloud.deployer.hands import Declaration, Hands
from localcloud.deployer.ledger import Entry, Ledger
from localcloud.deployer.progress import Action, Change, Watcher
from localcloud.deployer.wire import Properties


class Stopped(Exception):
    """The deployment is ending early: nothing more is begun."""


class Reconciler:
    """Compares each declaration with the ledger, has it acted upon, writes the ledger before it answers.

    One resource at a time, under a lock: what is in the ledger is what is in the cloud, also when the program fails,
    because a call that has begun is always waited for.
    """

    def __init__(self, ledger: Ledger, hands: Hands, watcher: Watcher, *, is_planned: bool = False) -> None:
        self.changes: list[Change] = []
        self._ledger = ledger
        self._hands = hands
        self._watcher = watcher
        self._is_planned = is_planned
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
            began = time.monotonic()
            entry, action = self._settle(declared)
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

    def forget_what_is_gone(self) -> None:
        """Strike from the ledger what the cloud no longer has."""
        for entry in reversed(self._ledger.deletion_order()):
            began = time.monotonic()
            is_there = self._hands.exists(entry)
            if not is_there:
                self._ledger.remove(entry)
            self._tell(entry, Action.UNCHANGED if is_there else Action.FORGOTTEN, began)

    def _settle(self, declared: Declaration) -> tuple[Entry, Action]:
        handler = table.handler_of(declared.type)
        old = self._ledger.live(declared.urn)
        if old is None:
            action = Action.REPLACED if declared.urn in self._replacing else Action.CREATED
            return self._create(declared), action
        if not self._hands.exists(old):
            self._ledger.remove(old)
            return self._create(declared), Action.CREATED
        if self._is_same(old, declared):
            current = replace(old, dependencies=declared.dependencies, retained=declared.retained)
            self._ledger.change(old, current)
            return current, Action.UNCHANGED
        if handler.joins or declared.replace_first:
            self._make_way(old)
        else:
            self._ledger.supersede(old)
        return self._create(declared), Action.REPLACED

    def _is_same(self, old: Entry, declared: Declaration) -> bool:
        def compared(inputs: dict[str, Any]) -> dict[str, Any]:
            return ignoring.without(inputs, declared.ignored)

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

    def _create(self, declared: Declaration) -> Entry:
        created = self._hands.create(declared)
        entry = Entry(
            urn=declared.urn,
            type=declared.type,
            name=declared.name,
            id=created.id,
            region=declared.region,
            inputs=declared.properties.shown(),
            outputs=dict(created.outputs),
            digests=self._ledger.digests(declared.properties),
            dependencies=declared.dependencies,
            retained=declared.retained,
        )
        self._ledger.add(entry)
        return entry

    def _delete(self, entry: Entry) -> None:
        began = time.monotonic()
        self._remove(entry)
        self._tell(entry, Action.RETAINED if entry.retained else Action.DELETED, began)

    def _remove(self, entry: Entry) -> None:
        if self._stopping.is_set():
            raise Stopped
        if not entry.retained:
            self._hands.remove(entry)
        self._ledger.remove(entry)

    def _tell(self, entry: Entry, action: Action, began: float) -> None:
        change = Change(entry.name, entry.type, action, time.monotonic() - began, is_planned=self._is_planned)
        self.changes.append(change)
        self._watcher(change)
