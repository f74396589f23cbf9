"""Write the user data a machine of ours boots with: its host key, its deadline.

The format is cloud-init's `#cloud-config` (modules ssh, write_files and runcmd). Where it is given a key, it generates
none.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from contracts.errors import AskedWrongly

LONGEST = 16 * 1024
"""Bytes that EC2 takes as user data, before base64."""

MARGIN_S = 900.0
"""For pushing and pulling, beyond boot and run, before a host ends itself. In seconds."""


@dataclass(frozen=True, slots=True)
class HostKey:
    """The SSH key of machines that are launched together: the private half goes to them and is then forgotten."""

    private: str = field(repr=False)
    public: str


def render_user_data(
    *,
    lifetime_s: float | None,
    user: str = "ubuntu",
    host_key: HostKey | None = None,
    files: Mapping[str, str] | None = None,
    commands: Sequence[Sequence[str]] = (),
) -> str:
    """Give cloud-config text that settles the machine's SSH key and powers it off after `lifetime_s`.

    With `host_key` the machine has that one; without, it makes one of its own at its first boot and shows the public
    half on its console, for the image's is everybody's. Root is shut out unless `user`, who logs in, is root. The
    machine powers itself off even when nobody is left to terminate it; it is launched so that this ends it. `files` are
    written first, by absolute path; `commands` run after the deadline is set.
    """
    deadline = [] if lifetime_s is None else [["shutdown", "-h", f"+{max(1, round(lifetime_s / 60))}"]]
    config: dict[str, Any] = {
        "ssh_deletekeys": True,
        "disable_root": user != "root",
        "ssh_pwauth": False,
        **_host_key_part(host_key),
    }
    if files:
        config["write_files"] = [{"path": path, "content": content} for path, content in sorted(files.items())]
    if deadline or commands:
        config["runcmd"] = [*deadline, *(list(command) for command in commands)]
    return "#cloud-config\n" + yaml.safe_dump(config, sort_keys=True)


def encoded(text: str) -> str:
    """Give user data as a launch template takes it; raises AskedWrongly where EC2 would not take that much."""
    data = text.encode()
    if len(data) > LONGEST:
        message = f"the user data of a machine has {len(data)} bytes, but EC2 takes {LONGEST} at most"
        raise AskedWrongly(message, hint="shorten infra.image.prefix")
    return base64.b64encode(data).decode("ascii")


def _host_key_part(host_key: HostKey | None) -> dict[str, Any]:
    if host_key is None:
        return {"ssh_genkeytypes": ["ed25519"], "ssh": {"emit_keys_on_console": True}}
    return {"ssh_keys": {"ed25519_private": host_key.private, "ed25519_public": host_key.public}}
