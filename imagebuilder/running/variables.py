"""Fill a step's references while a document runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from imagebuilder.documents import references
from imagebuilder.documents.yaml_nodes import Value


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of a loop; `name` is the loop's own, "" where it has none."""

    index: int
    value: str
    name: str = ""


class Variables:
    """What the steps of a document took in and gave out so far."""

    def __init__(self) -> None:
        self._steps: dict[tuple[str, str], dict[str, Value]] = {}

    def remember(self, phase: str, step: str, inputs: Value, outputs: Mapping[str, str]) -> None:
        """Let later steps refer to what a step took in and gave out."""
        self._steps[phase, step] = {"inputs": inputs, "outputs": dict(outputs)}

    def filled(self, value: Value, turn: Turn | None = None) -> Value:
        """Fill every string inside a value; a reference that means nothing stays as it is written."""
        meanings = {reference: self._meaning(reference, turn) for reference in set(_references(value))}
        return references.filled(value, {name: text for name, text in meanings.items() if text is not None})

    def _meaning(self, reference: str, turn: Turn | None) -> str | None:
        if turn is not None:
            owner, _, member = reference.rpartition(".")
            if owner in {"loop", turn.name} and member in {"index", "value"}:
                return str(turn.index) if member == "index" else turn.value
        chain = references.chain(reference)
        if chain is None or (chain.phase, chain.step) not in self._steps:
            return None
        return _followed(self._steps[chain.phase, chain.step][chain.side], chain.path)


def _references(value: Value) -> Iterator[str]:
    match value:
        case str():
            yield from (reference for _, reference in references.in_text(value))
        case list():
            for item in value:
                yield from _references(item)
        case dict():
            for item in value.values():
                yield from _references(item)


def _followed(value: Value, path: tuple[str | int, ...]) -> str | None:
    """Go down a path to a single value, None where it leads nowhere."""
    for hop in path:
        match value, hop:
            case dict(), str() if hop in value:
                value = value[hop]
            case list(), int() if hop < len(value):
                value = value[hop]
            case dict(), 0:  # the guide writes outputs[0].stdout where there is only one
                continue
            case _:
                return None
    match value:
        case None | list() | dict():
            return None
        case bool():
            return str(value).lower()
    return str(value)
