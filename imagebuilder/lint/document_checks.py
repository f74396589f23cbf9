"""Judge a document as a whole: its length, its phases, its limits, its names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from imagebuilder import documents
from imagebuilder.documents.yaml_nodes import plain
from imagebuilder.lint.hits import Hit
from imagebuilder.lint.source import Source

_PLACEHOLDER = re.compile(r"\$\w+|\$\{\w+\}|<[^<>]+>|(CHANGE|REPLACE)[-_ ]?ME|X{3,}", re.I)


def too_long(source: Source) -> Iterator[Hit]:
    """Documents that EC2 Image Builder does not take at all."""
    length = len(source.text)
    if length > documents.MOST_CHARACTERS:
        yield Hit(None, f"{length:,} characters, EC2 Image Builder takes {documents.MOST_CHARACTERS:,}", "split it")


def not_inline(source: Source) -> Iterator[Hit]:
    """Documents that EC2 Image Builder takes from S3 only."""
    length = len(source.text)
    if documents.MOST_INLINE_CHARACTERS < length <= documents.MOST_CHARACTERS:
        message = f"{length:,} characters, of which EC2 Image Builder takes {documents.MOST_INLINE_CHARACTERS:,} inline"
        yield Hit(None, message, "it must come from S3 (for an event Rampart sees to that), or be split")


def missing_phase(source: Source) -> Iterator[Hit]:
    """What is installed without anything that proves it."""
    there = dict(source.phases)
    if "build" not in there:
        return
    for name, purpose in (("validate", "before the image is made"), ("test", "on a fresh instance of the image")):
        if name not in there:
            remedy = f"add a phase {name} that looks at what was installed"
            yield Hit(there["build"], f"no phase {name} proves, {purpose}, what build installs", remedy)


def no_timeout(source: Source) -> Iterator[Hit]:
    """Steps that may hang for two hours, or for ever."""
    for step in source.steps:
        if step.timeout is None:
            if step.action != "Reboot":
                yield Hit(step.line, f"the step {step.name} may hang for 2 hours", "set timeoutSeconds")
        elif plain(step.timeout) == -1:
            yield Hit(step.timeout.line, f"the step {step.name} may hang for ever", "set timeoutSeconds above 0")


def placeholder(source: Source) -> Iterator[Hit]:
    """Values that were left to be filled in: AWSTOE fills in nothing but `{{ }}`."""
    for one in source.variables:
        if one.value and _PLACEHOLDER.fullmatch(one.value):
            yield Hit(one.value_line, f"the value {one.value} of {one.name} is left to be filled in", "write it out")


def unused_name(source: Source) -> Iterator[Hit]:
    """Constants and parameters that nothing refers to."""
    used = {found.strip() for found in re.findall(r"\{\{([^{}]*)\}\}", source.text)}
    for one in source.variables:
        if one.name not in used:
            kind = "parameter" if one.is_parameter else "constant"
            yield Hit(one.line, f"the {kind} {one.name} is not used", "take it away")
