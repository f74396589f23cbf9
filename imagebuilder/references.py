"""Find, judge or fill the `{{ }}` references of a document's strings."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping

from imagebuilder.yaml_nodes import Value

_REFERENCE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_CHAIN = re.compile(r"(?P<phase>[^.\s]+)\.(?P<step>[^.\s]+)\.(?P<kind>inputs|outputs)(?P<rest>(\.|\[).+)?")

STAGE_OF_PHASE = {"build": 1, "validate": 1, "test": 2}
"""Phases of one stage run on the same instance; the test phase runs on a fresh one."""


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

    `loop` is the name under which the step's loop is known, `earlier(phase, step)` whether such a step runs before.
    """
    if _NAME.fullmatch(reference):
        if reference in names:
            return None
        return (
            f"{{{{ {reference} }}}} is not declared",
            "declare it under parameters or constants, or mend its spelling",
        )
    if loop is not None and reference in {f"{loop}.index", f"{loop}.value"}:
        return None
    chain = _CHAIN.fullmatch(reference)
    if chain is None:
        remedy = "write a declared name, or keep such braces out of the text, e.g. '{''{'"
        return f"{{{{ {reference} }}}} is not a reference AWSTOE knows", remedy
    other, step = chain.group("phase"), chain.group("step")
    if STAGE_OF_PHASE.get(other) != STAGE_OF_PHASE.get(phase):
        remedy = "the test phase runs on a fresh instance: leave the value in a file of the image"
        return f"{{{{ {reference} }}}} reaches from phase {phase} into phase {other}", remedy
    if not earlier(other, step):
        return f"{{{{ {reference} }}}} names no step that runs before", "write <phase>.<step>.outputs.<name>"
    return None
