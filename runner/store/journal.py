"""Turn a stage's value into JSON for the database, or back."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from contracts.work import (
    BaggedScores,
    Claimed,
    Finished,
    FoldScores,
    Launched,
    Provisioned,
    Pulled,
    Pushed,
    Scored,
    Spread,
    StageValue,
)

_KINDS: dict[str, type[StageValue]] = {
    kind.__name__: kind for kind in (Claimed, Provisioned, Spread, Pushed, Launched, Finished, Pulled)
}
_RESULT = TypeAdapter(tuple[tuple[FoldScores, ...], BaggedScores])
_INNER = ("finished", "launched", "pushed", "provisioned", "claimed")


def dumped(value: StageValue) -> dict[str, Any]:
    """Give the value as plain JSON types. It holds paths, addresses, public host keys; no secret."""
    kind = type(value).__name__
    return {"kind": kind, "value": _adapter(kind).dump_python(value, mode="json")}


def loaded(entry: dict[str, Any] | None, lease_token: str) -> StageValue | None:
    """Read what `dumped` wrote, for whoever holds the lease now; None where there is nothing that can be read."""
    if entry is None:
        return None
    try:
        value = entry["value"]
        for held in (value, *value.get("helpers", ())):
            claimed = _claimed_in(held)
            claimed["work"] = claimed["work"] | {"lease_token": lease_token}
        return _adapter(entry["kind"]).validate_python(value)
    except (KeyError, TypeError, StopIteration, ValidationError):  # another version's, perhaps
        return None


def scores_as_text(scored: Scored) -> str:
    """Give the scores of a result as JSON, to be kept where they do not count."""
    return _RESULT.dump_json((scored.folds, scored.bagged)).decode()


def _claimed_in(value: dict[str, Any]) -> dict[str, Any]:
    while "work" not in value:
        value = value[next(name for name in _INNER if name in value)]
    return value


@cache
def _adapter(kind: str) -> TypeAdapter[StageValue]:
    return TypeAdapter(_KINDS[kind])
