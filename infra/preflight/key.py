"""Look for the key that opens the event's machines."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.findings import Finding, Level
from infra import keys
from infra.preflight.known import Known


def look_at_file(known: Known) -> Iterator[Finding]:
    """The public key file of an event that names no key pair. Raises KeyFileInvalid."""
    event = known.event
    if event.worker.key_name:
        return
    if event.worker.key_path is None and not event.key_path.exists():
        yield Finding(Level.OK, "key", f"up makes one: {event.key_path}")
        return
    keys.public_key(event)
    yield Finding(Level.OK, "key", f"{event.key_path}.pub")


def look_at_pair(known: Known) -> Iterator[Finding]:
    """The key pair that the event names."""
    name, region = known.event.worker.key_name, known.event.region
    if not name:
        return
    if known.survey.has_key_pair(name):
        yield Finding(Level.OK, "key", f"key pair {name}")
    else:
        hint = "leave worker.key_name out, and up makes one; or: aws ec2 describe-key-pairs"
        yield Finding(Level.ERROR, "key", f"{region} has no key pair {name}", hint)
