"""Write the ssh config that lets any SSH client find the local instances."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from localcloud.addresses import SSH_PORT, Place


@dataclass(frozen=True, slots=True)
class Entry:
    """One instance as a client sees it."""

    instance_id: str
    place: Place
    user: str
    host_key_line: str


def write(folder: Path, entries: Iterable[Entry]) -> None:
    """Replace `ssh_config` and `known_hosts` in the folder; a reader sees the old or the new, never a half."""
    entries = list(entries)
    known_hosts = folder / "known_hosts"
    replace_file(known_hosts, "".join(f"{_known_as(entry)} {entry.host_key_line}\n" for entry in entries))
    replace_file(folder / "ssh_config", "\n".join(_stanza(entry, known_hosts) for entry in entries))


def replace_file(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
    fresh.replace(path)


def _known_as(entry: Entry) -> str:
    place = entry.place
    return place.connect_to if place.port == SSH_PORT else f"[{place.connect_to}]:{place.port}"


def _stanza(entry: Entry, known_hosts: Path) -> str:
    place = entry.place
    return (
        f"Host {place.address} {entry.instance_id}\n"
        f"    HostName {place.connect_to}\n"
        f"    Port {place.port}\n"
        f"    User {entry.user}\n"
        "    StrictHostKeyChecking yes\n"
        f'    UserKnownHostsFile "{known_hosts}"\n'
        "    GlobalKnownHostsFile /dev/null\n"
    )
