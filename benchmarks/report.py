"""Render what a run of the benchmarks measured, for machines or for people."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from benchmarks.figures import Figure


@dataclass(frozen=True, slots=True)
class Report:
    """Figures with the circumstances they were measured in; `load` is what else the machine did when it began."""

    command: str
    date: str
    cores: int
    load: float
    system: str
    python: str
    figures: tuple[Figure, ...]


def new_report(command: str, *, load: float, figures: Sequence[Figure]) -> Report:
    """Put figures together with what is true of this machine now."""
    return Report(
        command=command,
        date=datetime.now(UTC).date().isoformat(),
        cores=os.cpu_count() or 1,
        load=round(load, 2),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        figures=tuple(figures),
    )


def as_json(report: Report) -> str:
    """The whole report."""
    return json.dumps(asdict(report), indent=2) + "\n"


def as_markdown(report: Report) -> str:
    """A page with one table; the page is generated, so it says by which command."""
    rows = ["| what | measured | to reach | how |", "|---|---:|---:|---|"]
    rows += [f"| {one.what} | {shown(one)} | {one.target} | {one.note} |" for one in report.figures]
    return f"""# Benchmarks

Made by `{report.command}` on {report.date}: {report.cores} cores, {report.system}, Python {report.python},
load average {report.load} before it began.
These are figures of one run, on a machine that may have been shared: take the ratios, which compare what ran in the
same run, before the seconds, and measure on your own machine before and after a change (`make bench`).

{chr(10).join(rows)}
"""


def shown(figure: Figure) -> str:
    """A figure with its unit, in three digits where it is no whole number."""
    value = figure.value
    text = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
    return f"{text} {figure.unit}".strip()
