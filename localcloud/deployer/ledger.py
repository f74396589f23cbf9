"""Remember on disk what a deployment has made."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from contracts.errors import AskedWrongly, RampartError
from localcloud.deployer.wire import Properties

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One resource in the cloud. `inputs` and `outputs` hold no secret in clear, `digests` tell whether one changed."""

    urn: str
    type: str
    name: str
    id: str
    region: str
    inputs: dict[str, Any]
    outputs: dict[str, Any]
    digests: dict[str, str] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    retained: bool = False
    superseded: bool = False
    """Another resource has taken its place; it is still to be deleted."""


_NAMES = tuple(each.name for each in fields(Entry))


class Ledger:
    """The entries of one stack, written to a file of mode 0600 at every change."""

    def __init__(self, path: Path, project: str, stack: str) -> None:
        self._path = path
        self.project = project
        self.stack = stack
        self.outputs: dict[str, Any] = {}
        self._entries: list[Entry] = []
        self._salt = secrets.token_hex(16)
        if path.exists():
            self._load()

    def live(self, urn: str) -> Entry | None:
        """Give what stands for a URN now."""
        return next((entry for entry in self._entries if entry.urn == urn and not entry.superseded), None)

    def deletion_order(self) -> list[Entry]:
        """Give every entry, each one before what it depends on."""
        urns = TopologicalSorter({entry.urn: entry.dependencies for entry in self._entries})
        ranks = {urn: rank for rank, urn in enumerate(urns.static_order())}
        return sorted(self._entries, key=lambda entry: ranks[entry.urn], reverse=True)

    def dependents(self, entry: Entry) -> list[Entry]:
        """Give the live entries that depend on one, directly or through others, each before what it depends on."""
        found = {entry.urn}
        for other in reversed(self.deletion_order()):
            if found.intersection(other.dependencies):
                found.add(other.urn)
        return [
            other
            for other in self.deletion_order()
            if other.urn in found and other.urn != entry.urn and not other.superseded
        ]

    def add(self, entry: Entry) -> None:
        self._entries.append(entry)
        self.save()

    def supersede(self, entry: Entry) -> None:
        """Keep an entry for deletion only."""
        self._entries[self._entries.index(entry)] = replace(entry, superseded=True)

    def change(self, old: Entry, new: Entry) -> None:
        """Correct what is known of a resource that itself has not changed."""
        if old != new:
            self._entries[self._entries.index(old)] = new
            self.save()

    def remove(self, entry: Entry) -> None:
        self._entries.remove(entry)
        self.save()

    def digests(self, properties: Properties) -> dict[str, str]:
        """Fingerprint secret values, so that a change is seen though no value is kept."""
        return {name: self._fingerprint(properties.values[name]) for name in sorted(properties.secrets)}

    def _fingerprint(self, value: Any) -> str:
        text = json.dumps(value, sort_keys=True)
        return hmac.new(bytes.fromhex(self._salt), text.encode(), hashlib.sha256).hexdigest()

    def save(self) -> None:
        """Write everything; the file is whole at any moment."""
        content = {
            "format": _FORMAT,
            "project": self.project,
            "stack": self.stack,
            "salt": self._salt,
            "outputs": self.outputs,
            # neither copied nor indented: it is written for each resource anew, and that is most of what it costs
            "resources": [{name: getattr(entry, name) for name in _NAMES} for entry in self._entries],
        }
        _write(self._path, json.dumps(content, sort_keys=True).encode())

    def _load(self) -> None:
        known = read(self._path)
        found = (known.project, known.stack)
        if found != (self.project, self.stack):
            raise AskedWrongly(
                f"{self._path} belongs to {found[0]}/{found[1]}, not to {self.project}/{self.stack}",
                hint="give each stack a state file of its own",
            )
        self._salt = known.salt
        self.outputs = known.outputs
        self._entries = list(known.entries)


class Draft(Ledger):
    """A ledger in which one may try out what would be written: its file stays as it is."""

    def save(self) -> None:
        """Write nothing."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a state file holds."""

    project: str
    stack: str
    salt: str = field(repr=False)
    outputs: dict[str, Any]
    entries: tuple[Entry, ...]


def read(path: Path) -> Known:
    """Read a state file; raises AskedWrongly for a file that is none, or not a whole one."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise AskedWrongly(f"{path} is not a state file: {error}", hint=_REMOVE) from error
    if not isinstance(content, Mapping) or content.get("format") != _FORMAT:
        raise AskedWrongly(f"{path} is not a state file of this version", hint=_REMOVE)
    try:
        bytes.fromhex(content["salt"])
        return Known(
            project=content["project"],
            stack=content["stack"],
            salt=content["salt"],
            outputs=dict(content["outputs"]),
            entries=tuple(
                Entry(**{**entry, "dependencies": tuple(entry["dependencies"])}) for entry in content["resources"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise AskedWrongly(f"{path} is not a whole state file: {error}", hint=_REMOVE) from error


_REMOVE = "remove it once nothing it made is running"


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Keep every other deployment, in whatever process, away from a state file; raises RampartError when one is on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(f"{path.name}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise RampartError(f"another deployment works with {path}", hint="wait for its end") from error
    finally:
        os.close(descriptor)


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    draft.replace(path)
