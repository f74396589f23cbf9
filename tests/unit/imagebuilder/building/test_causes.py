"""What failed steps print is told with its probable cause, and never with a wrong one where none is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuilder.building import causes

CASES = Path(__file__).parents[3] / "data" / "build_failures"


@pytest.mark.parametrize("case", sorted(path.stem for path in CASES.glob("*.txt")))
def test_the_cause_of_a_failure_is_found_in_what_the_step_printed(case: str) -> None:
    cause = causes.cause_of((CASES / f"{case}.txt").read_text(encoding="utf-8").splitlines())
    expected = (CASES / f"{case}.expected").read_text(encoding="utf-8").strip()
    assert (cause.name if cause else "nothing known") == expected
