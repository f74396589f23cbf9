"""Give a benchmark its command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import report
from benchmarks.figures import Figure

Measure = Callable[[bool], Sequence[Figure]]
"""Takes whether it must be quick."""


def main(measure: Measure) -> None:
    """Measure, then print a line for each figure, or the whole report as JSON."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions: see that it works")
    parser.add_argument("--json", action="store_true", help="print JSON")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    _forget_the_callers_cloud()
    figures = measure(asked.quick)
    if asked.json:
        command = f"python -m {measure.__module__}" if measure.__module__ != "__main__" else Path(sys.argv[0]).name
        print(report.as_json(report.new_report(command, load=load, figures=figures)), end="")
        return
    for figure in figures:
        print(f"{figure.what}: {report.shown(figure)}" + (f" (to reach: {figure.target})" if figure.target else ""))
        if figure.note:
            print(f"    {figure.note}")


def _forget_the_callers_cloud() -> None:
    """What the shell says of AWS or Rampart must neither be measured nor charged for."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "RAMPART_"))]:
        del os.environ[name]
