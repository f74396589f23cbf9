"""Give the turns of a step's loop."""

from __future__ import annotations

from collections.abc import Iterator

from imagebuilder.documents.yaml_nodes import Value
from imagebuilder.running.variables import Turn

MOST_TURNS = 10_000


class BadLoop(Exception):
    """A loop's bounds are of no use."""


def turns(loop: Value) -> Iterator[Turn | None]:
    """Give every turn of a loop whose references are filled, one None without a loop. Raises BadLoop."""
    if not isinstance(loop, dict):
        yield None
        return
    name = str(loop.get("name", ""))
    values = _counted(loop["for"]) if "for" in loop else _listed(loop.get("forEach"))
    for index, value in enumerate(values):
        if index == MOST_TURNS:
            raise BadLoop(f"the loop has more than {MOST_TURNS} turns")
        yield Turn(index, value, name)


def _counted(bounds: Value) -> Iterator[str]:
    """The bounds belong to it."""
    if not isinstance(bounds, dict):
        raise BadLoop("the loop has no bounds")
    try:
        start, end, by = (int(str(bounds[key])) for key in ("start", "end", "updateBy"))
    except (KeyError, ValueError) as error:
        raise BadLoop(f"the loop's bounds are not numbers: {error}") from error
    if by == 0:
        raise BadLoop("the loop's updateBy is 0")
    yield from map(str, range(start, end + (1 if by > 0 else -1), by))


def _listed(each: Value) -> Iterator[str]:
    match each:
        case list():
            yield from map(str, each)
        case dict():
            delimiter = str(each.get("delimiter", ","))
            text = str(each.get("list", ""))
            parts = text.split(delimiter) if delimiter else [text]
            yield from (part for part in parts if part)
        case _:
            raise BadLoop("the loop has no list")
