"""Know the host key of an event's gateway."""

from __future__ import annotations

import json
from pathlib import Path

from contracts.errors import HostKeyRefused
from contracts.event import EventConfig
from contracts.stack import StackOutputs
from runner import whole_files
from tasks import console

_PATIENCE_S = 300.0


def ensure_known(event: EventConfig, outputs: StackOutputs | None, *, patience_s: float = _PATIENCE_S) -> str:
    """Give the gateway's host key, as `ssh-ed25519 AAAA...`; empty where the event has no gateway.

    It makes the key itself at its first boot and shows it on its console, which only the account's owner can read:
    there it is read once, and kept in the event's folder. Raises HostKeyRefused where it shows none: a key that the
    gateway merely answers with is never believed.
    """
    if outputs is None or not outputs.gateway_id:
        return ""
    path = known_path(event)
    known = _known(path)
    key = known.get(outputs.gateway_id)
    if key is None:
        key = _shown(event, outputs.gateway_id, patience_s)
        whole_files.write(path, json.dumps(known | {outputs.gateway_id: key}, indent=2, sort_keys=True) + "\n")
    return key


def known_path(event: EventConfig) -> Path:
    """Where the keys are kept, by the gateways' instance ids."""
    return event.state_dir / "known_gateways.json"


def _shown(event: EventConfig, instance_id: str, patience_s: float) -> str:
    from clients.aws.console import Console
    from clients.aws.session import session_for

    console.say(f"reading the gateway's host key from the console of {instance_id}")
    key = Console(session_for(event)).host_key(instance_id, patience_s=patience_s)
    if not key:
        hint = "a minute after its boot it should; does its image (infra.gateway.image) run cloud-init?"
        raise HostKeyRefused(f"the gateway {instance_id} shows no host key on its console: it is not used", hint=hint)
    return key


def _known(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):  # what cannot be read is asked for again
        return {}
    return {str(name): str(key) for name, key in found.items()} if isinstance(found, dict) else {}
