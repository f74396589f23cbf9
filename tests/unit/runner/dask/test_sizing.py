"""How many workers stay depends on what was wanted lately."""

from __future__ import annotations

import pytest

from runner.dask.sizing import Bounds, Sizing


@pytest.fixture
def sizing() -> Sizing:
    return Sizing(Bounds(least=1, most=8, patience_s=10))


def test_before_the_patience_is_over_once_nothing_is_said(sizing: Sizing) -> None:
    assert (sizing.wanted, sizing.floor(100)) == (None, None)
    sizing.note(3, 0)
    assert sizing.floor(9) is None
    assert sizing.floor(10) == 3


def test_the_most_of_the_patience_counts(sizing: Sizing) -> None:
    for at, wanted in ((0, 5), (20, 2), (25, 3), (26, 0)):
        sizing.note(wanted, at)
    assert sizing.wanted == 0
    assert [sizing.floor(at) for at in (29, 30, 31, 35, 36)] == [5, 3, 3, 3, 1]


def test_the_bounds_hold_whatever_is_wanted(sizing: Sizing) -> None:
    sizing.note(50, 0)
    assert sizing.floor(10) == 8
    sizing.note(0, 10)
    assert sizing.floor(20) == 1
