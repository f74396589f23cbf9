"""Figures are summed up and shown as readers expect."""

from __future__ import annotations

import pytest

from benchmarks import report
from benchmarks.figures import Figure, percentile


@pytest.mark.parametrize(("percent", "expected"), [(0, 1.0), (50, 10.0), (95, 19.0), (100, 20.0)])
def test_a_percentile_is_one_of_the_values(percent: float, expected: float) -> None:
    assert percentile([float(number) for number in range(20, 0, -1)], percent) == expected


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [(1.0349, "x", "1.03 x"), (0.0984, "s", "0.0984 s"), (1823.4, "/s", "1,823 /s"), (5.0, "", "5"), (0.0, "s", "0 s")],
)
def test_a_figure_is_shown_in_three_digits_or_whole(value: float, unit: str, expected: str) -> None:
    assert report.shown(Figure("what", value, unit)) == expected


def test_every_figure_is_a_row_of_the_page() -> None:
    made = report.new_report(
        "a command", load=0.5, figures=[Figure("one", 1.0, "s", "< 2 s", "alone"), Figure("b", 2, "")]
    )
    rows = [line for line in report.as_markdown(made).splitlines() if line.startswith("|")]
    assert rows[2:] == ["| one | 1 s | < 2 s | alone |", "| b | 2 |  |  |"]
