"""Leave out of a resource's properties what its program says may differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

_STEP = re.compile(r'\["([^"]*)"\]|\[(\d+|\*)\]|([^.\[\]]+)')


def without(values: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Give the values less what lies at the paths, which Pulumi writes as `a`, `a.b`, `a[0].b`, `a[*].b`, `a["b"]`."""
    kept: Any = dict(values)
    for path in paths:
        kept = _less(kept, [next(filter(None, step)) for step in _STEP.findall(path)])
    return dict(kept)


def _less(value: Any, steps: list[str]) -> Any:
    first, rest = steps[0], steps[1:]
    if isinstance(value, Mapping):
        there = [key for key in value if first in (key, "*")]
        gone = {} if rest else there
        return {key: _less(inner, rest) if key in there else inner for key, inner in value.items() if key not in gone}
    if isinstance(value, list):
        there_too = {str(place) for place in range(len(value)) if first in (str(place), "*")}
        return [
            (_less(inner, rest) if rest else None) if str(place) in there_too else inner
            for place, inner in enumerate(value)
        ]
    return value
