"""Fill the `{{ }}` references of a component document."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_REFERENCE = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_CHAIN = re.compile(r"(?P<phase>[^.]+)\.(?P<step>.+?)\.(?P<side>inputs|outputs)(?P<path>(?:\.[\w-]+|\[\d+\])*)")
_HOP = re.compile(r"\.([\w-]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Iteration:
    """One turn of a loop; `name` is the loop's own, if it has one."""

    index: int
    value: str
    name: str | None = None


@dataclass(slots=True)
class Scope:
    """What a reference may mean: parameters and constants, and what earlier steps took in and gave out."""

    values: Mapping[str, str]
    results: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def remember(self, phase: str, step: str, inputs: Any, outputs: Mapping[str, Any]) -> None:
        """Make a step's inputs and outputs available to later ones."""
        self.results[phase, step] = {"inputs": inputs, "outputs": dict(outputs)}

    def fill(self, value: Any, iteration: Iteration | None = None) -> Any:
        """Fill every string inside a value; a reference that means nothing stays as it is written."""
        if isinstance(value, str):
            return _REFERENCE.sub(lambda found: self._meaning(found[1], iteration, found[0]), value)
        if isinstance(value, list):
            return [self.fill(item, iteration) for item in value]
        if isinstance(value, Mapping):
            return {key: self.fill(item, iteration) for key, item in value.items()}
        return value

    def _meaning(self, reference: str, iteration: Iteration | None, literal: str) -> str:
        if reference in self.values:
            return self.values[reference]
        if iteration is not None:
            owner, _, member = reference.rpartition(".")
            if owner in ("loop", iteration.name) and member in ("index", "value"):
                return str(iteration.index) if member == "index" else iteration.value
        found = _CHAIN.fullmatch(reference)
        if found is None:
            return literal
        result = self.results.get((found["phase"], found["step"]))
        target = _follow(result[found["side"]], found["path"]) if result else None
        return literal if target is None else str(target)


def _follow(value: Any, path: str) -> Any:
    for hop in _HOP.finditer(path):
        if hop[2] == "0" and isinstance(value, Mapping):
            continue  # the first of one
        try:
            value = value[hop[1]] if hop[1] is not None else value[int(hop[2])]
        except (KeyError, IndexError, TypeError):
            return None
    return value
