"""Let an event that is open to the public be served only where its canary was stopped at everything."""

from __future__ import annotations

import platform
from collections.abc import Callable

from contracts.errors import AskedWrongly
from contracts.event import Canary, ClusterKind, EventConfig, Scoring
from runner import canary
from runner.app import open_canary_records
from runner.store import CanaryRecord
from tasks import console

_GUIDE = "docs/how-to/open-to-the-public.md"


def admitted(event: EventConfig) -> Callable[[str], None]:
    """Refuse an event that may not be served; gives what refuses an image that its hosts may not be launched from.

    Both raise AskedWrongly. A waiver is told instead.
    """
    if not event.ramp.event_is_public:
        return lambda _: None
    if event.worker.canary is Canary.WAIVED:
        console.say(f"warning: {event.name} is open to the public without a canary: it is waived", style="yellow")
        return lambda _: None
    if event.worker.worker_type == "aws":
        return lambda image_id: _check(event, image_id, image_id)
    if event.worker.worker_type not in ("conda", "dask"):
        hint = f"worker.canary: waived serves it all the same; see {_GUIDE}"
        message = f"event {event.name} is public, and no canary can be sent to hosts of {event.worker.worker_type}"
        raise AskedWrongly(message, hint=hint)
    place = without_image(event)
    _check(event, place, place.partition(",")[0])
    return lambda _: None


def without_image(event: EventConfig) -> str:
    """What a canary is kept under that was sent to a host which was not launched from an image of ours for it."""
    if event.worker.worker_type == "dask" and event.worker.cluster is not ClusterKind.LOCAL:
        return f"the Dask cluster of {event.name}"
    return f"this machine, {platform.node()}"


def why_not(event: EventConfig, record: CanaryRecord | None, where: str, digest: str) -> str:
    """Why a public event may not be served there, in one clause; empty where it may."""
    if record is None:
        return f"no canary was sent to {where} yet"
    if record.not_stopped:
        return f"its canary on {where} was not stopped at: {', '.join(record.not_stopped)}"
    if record.digest != digest:
        return f"its canary on {where} was another version's, which tried other things behind other walls"
    if event.worker.scoring is Scoring.HOST and record.is_blind:
        return f"its canary on {where} had no labels in reach, which scoring: host gives to hosts"
    return ""


def _check(event: EventConfig, host: str, where: str) -> None:
    reason = why_not(event, open_canary_records(event).last(event.name, host), where, canary.digest())
    if reason:
        hint = f"invoke canary --event {event.name}, or worker.canary: waived in its file; see {_GUIDE}"
        raise AskedWrongly(f"event {event.name} is public, and {reason}", hint=hint)
