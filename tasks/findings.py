"""Show what a look at an event found."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from contracts.findings import Finding, Level
from tasks import console, typed

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.ERROR: "red"}


def show(findings: Sequence[Finding], *, as_json: bool) -> None:
    """All findings, one line each with its hint below, or as JSON; how many are bad goes to standard error."""
    if as_json:
        console.data([dataclasses.asdict(finding) for finding in findings])
    else:
        for line, style in _lines(findings):
            console.result(line, style=style)
    console.say(counted(findings))


def tell(findings: Sequence[Finding]) -> None:
    """The findings that are not fine, as progress of something else."""
    for line, style in _lines([one for one in findings if one.level is not Level.OK]):
        console.say(line, style=style)


def has_errors(findings: Sequence[Finding]) -> bool:
    """Whether something must be mended first."""
    return any(one.level is Level.ERROR for one in findings)


def counted(findings: Sequence[Finding]) -> str:
    """`1 error, 2 warnings`."""
    numbers = {level: sum(one.level is level for one in findings) for level in (Level.ERROR, Level.WARNING)}
    return ", ".join(f"{number} {level}{'' if number == 1 else 's'}" for level, number in numbers.items())


def _lines(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    """Aligned lines with their styles."""
    width = max((len(finding.about) for finding in findings), default=0)
    lines: list[tuple[str, str]] = []
    for one in findings:
        lines.append((f"{one.level:<8} {one.about:<{width}}  {one.message}", _STYLES[one.level]))
        if one.hint:
            lines.append((f"{'':<8} {'':<{width}}  hint: {typed.again(one.hint)}", ""))
    return lines
