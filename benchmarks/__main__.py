"""Run the benchmarks one after the other, each in a process of its own, into one report."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import report
from benchmarks.figures import Figure

BENCHMARKS = (
    "local_runs",
    "folds",
    "dask",
    "remote_runs",
    "many_hosts",
    "many_runs",
    "claims",
    "containment",
    "start_times",
)


def main() -> int:
    """Give the exit code: 1 where a benchmark failed, whatever the figures are."""
    parser = _parser()
    asked = parser.parse_args()
    unknown = set(asked.benchmarks) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    load = os.getloadavg()[0]
    figures: list[Figure] = []
    failed = []
    for name in asked.benchmarks or BENCHMARKS:
        measured = _measured(name, quick=asked.quick)
        if measured is None:
            failed.append(name)
        else:
            figures += measured
    command = " ".join(["python -m benchmarks", *(["--quick"] if asked.quick else []), *asked.benchmarks])
    made = report.new_report(command, load=load, figures=figures)
    if asked.json is not None:
        _write(asked.json, report.as_json(made))
    if asked.table is not None and not failed:
        _write(asked.table, report.as_markdown(made))
    if asked.json is None and asked.table is None:
        print(report.as_markdown(made), end="")
    for name in failed:
        print(f"error: {name} failed, see above", file=sys.stderr)
    return 1 if failed else 0


def _measured(name: str, *, quick: bool) -> list[Figure] | None:
    """One benchmark's figures, None where it failed; it must not inherit the state an earlier one left."""
    print(f"{name} ...", file=sys.stderr, flush=True)
    began = time.monotonic()
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", *(["--quick"] if quick else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
    print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    if done.returncode != 0:
        return None
    return [Figure(**one) for one in json.loads(done.stdout)["figures"]]


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description="Measure how fast the house is.",
        epilog="example: python -m benchmarks --quick local_runs claims",
    )
    parser.add_argument("benchmarks", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="four minutes in all instead of thirteen")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report as JSON instead of printing it")
    parser.add_argument("--table", type=Path, metavar="FILE", help="write it as a page instead of printing it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
