"""Read the comments `# lint: allow CHECK because REASON` of a document."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from imagebuilder.lint import table
from imagebuilder.lint.hits import Hit
from imagebuilder.lint.source import Source

_COMMENT = re.compile(r"(?P<before>^|.*?\s)#\s*lint:\s*allow\b(?P<rest>.*)$")
_REST = re.compile(r"\s*(?P<names>[\w-]+(\s*,\s*[\w-]+)*)\s+because\s+(?P<reason>\S.*)")
_NEVER = (table.SCHEMA, table.REFERENCE, table.COMMENT)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one comment allows; `lines` None means the whole document."""

    line: int
    check: str
    reason: str
    lines: frozenset[int] | None

    def covers(self, check: str, line: int | None) -> bool:
        """Whether it allows this check there."""
        return check == self.check and (self.lines is None or line in self.lines)


def allowances(source: Source) -> tuple[list[Allowance], list[Hit]]:
    """Give what the comments allow, and what is wrong with comments."""
    found: list[Allowance] = []
    wrong: list[Hit] = []
    written = source.text.splitlines()
    for number, text in enumerate(written, start=1):
        comment = _COMMENT.fullmatch(text)
        if comment is None:
            continue
        rest = _REST.fullmatch(comment["rest"])
        if rest is None:
            wrong.append(Hit(number, "a comment that allows something says why", "# lint: allow CHECK because REASON"))
            continue
        lines = frozenset({number}) if comment["before"].strip() else _meant(source, written, number)
        for name in re.split(r"\s*,\s*", rest["names"]):
            if name in _NEVER:
                wrong.append(Hit(number, f"{name} cannot be allowed", "mend it: AWSTOE would refuse it all the same"))
            elif name not in table.BY_NAME:
                wrong.append(Hit(number, f"no check {name!r}", f"known: {', '.join(table.BY_NAME)}"))
            else:
                found.append(Allowance(number, name, rest["reason"].strip(), lines))
    return found, wrong


def unused(found: list[Allowance], used: set[Allowance]) -> Iterator[Hit]:
    """Comments that allow what is not there."""
    for one in found:
        if one not in used:
            yield Hit(one.line, f"{one.check} is allowed here, and nothing of it found", "take the comment away")


def _meant(source: Source, written: list[str], number: int) -> frozenset[int] | None:
    """Give the lines that a comment on a line of its own speaks of.

    Within a script these are the step's; elsewhere the next line, and before the first key all lines.
    """
    for step in source.steps:
        if step.script is not None and number in step.script.lines:
            return frozenset({step.line, *step.script.lines})
    contents = [n for n, text in enumerate(written, start=1) if text.strip() and not text.lstrip().startswith("#")]
    following = next((n for n in contents if n > number), number)
    return None if contents and following == contents[0] else frozenset({following})
