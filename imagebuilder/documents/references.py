"""Find, judge or fill the `{{ }}` references of a document's strings."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from imagebuilder.documents.yaml_nodes import Value

_REFERENCE = re.compile(r"\{\{([^{}]*)\}\}")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_CHAIN = re.compile(
    r"(?P<phase>[^.\s]+)\.(?P<step>.+?)\.(?P<side>inputs|outputs)(?P<rest>(?:\[\d+\])?(?:\.[\w-]+|\[\d+\])+)"
)
_HOP = re.compile(r"\.([\w-]+)|\[(\d+)\]")

STAGE_OF_PHASE = {"build": 1, "validate": 1, "test": 2, "container-host-test": 3}
"""Phases of one stage run on the same instance: the test phase on a fresh one, the last on a container's host.

AWSTOE knows the last, a machine image's build does not run it.
"""


@dataclass(frozen=True, slots=True)
class Chain:
    """A reference to what an earlier step takes in or gives out; `path` leads there by names and by indexes from 0."""

    phase: str
    step: str
    side: Literal["inputs", "outputs"]
    path: tuple[str | int, ...]


def chain(reference: str) -> Chain | None:
    """Read `<phase>.<step>.inputs[<index>].<name>` or the like, None for any other reference."""
    found = _CHAIN.fullmatch(reference)
    if found is None:
        return None
    path = tuple(hop[1] or int(hop[2]) for hop in _HOP.finditer(found["rest"]))
    return Chain(found["phase"], found["step"], "inputs" if found["side"] == "inputs" else "outputs", path)


def in_text(text: str) -> Iterator[tuple[int, str]]:
    """Give every reference with the number of line ends before it; what stands between the braces, without blanks."""
    for found in _REFERENCE.finditer(text):
        yield text.count("\n", 0, found.start()), found.group(1).strip()


def filled(value: Value, values: Mapping[str, str]) -> Value:
    """Give the value with each reference to a name in `values` replaced; all others stay as they are."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda found: values.get(found.group(1).strip(), found.group(0)), value)
    if isinstance(value, list):
        return [filled(item, values) for item in value]
    if isinstance(value, dict):
        return {key: filled(item, values) for key, item in value.items()}
    return value


def fault(
    reference: str, *, names: Collection[str], loop: str | None, phase: str, earlier: Callable[[str, str], bool]
) -> tuple[str, str] | None:
    """Say what is wrong with a reference and what to do, or None.

    `loop` is the own name of the step's loop, "loop" where it has none; without a loop None.
    `earlier(phase, step)` says whether such a step runs before.
    """
    if _NAME.fullmatch(reference):
        if reference in names:
            return None
        return (
            f"{{{{ {reference} }}}} is not declared",
            "declare it under parameters or constants, or mend its spelling",
        )
    owner, _, member = reference.partition(".")
    if loop is not None and owner in ("loop", loop) and member in ("index", "value"):
        return None
    link = chain(reference)
    if link is None:
        remedy = "write a declared name, or keep such braces out of the text, e.g. '{''{'"
        return f"{{{{ {reference} }}}} is not a reference AWSTOE knows", remedy
    if STAGE_OF_PHASE.get(link.phase) != STAGE_OF_PHASE.get(phase):
        remedy = "the test phase runs on a fresh instance: leave the value in a file of the image"
        return f"{{{{ {reference} }}}} reaches from phase {phase} into phase {link.phase}", remedy
    if not earlier(link.phase, link.step):
        return f"{{{{ {reference} }}}} names no step that runs before", "write <phase>.<step>.outputs.<name>"
    return None
