"""Look at when what stands by itself ends."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from contracts.findings import Finding, Level
from infra.preflight.known import Known

LONG = timedelta(days=90)
"""A fleet that ends later than this is more likely a slip of the pen than an event."""


def look(known: Known) -> Iterator[Finding]:
    """The ends of the standing fleet and of the Dask workers."""
    infra = known.event.infra
    for key, settings in (("fleet", infra.fleet), ("dask", infra.dask)):
        if settings is not None:
            yield _end(f"infra.{key}.valid_until", settings.valid_until, known.now)


def _end(key: str, end: datetime, now: datetime) -> Finding:
    said = f"{key}: {end.isoformat()}"
    if end <= now:
        return Finding(Level.ERROR, "end", f"{said} is past", "write the event's close")
    if end - now > LONG:
        hint = "its machines cost until then: write the event's close, and raise it when that moves"
        return Finding(Level.WARNING, "end", f"{said} is {(end - now).days} days away", hint)
    return Finding(Level.OK, "end", said)
