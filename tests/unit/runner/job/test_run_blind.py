"""A job sees the labels of those rows alone that it trains on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from runner.job.run_blind import rows_of, without_others

LABELS = ["a", "b", "c", "d", "e"]
SHOWN = ["b", "b", "b", "d", "b"]  # of rows 1 and 3


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        np.array(LABELS, dtype=object),
        pd.Series(LABELS, index=list("vwxyz")),
        pd.Series(LABELS, dtype="category"),
        pd.DataFrame({"label": LABELS, "more": [1, 2, 3, 4, 5]}),
        np.array([[text, text] for text in LABELS]),
    ],
    ids=lambda labels: type(labels).__name__,
)
def test_the_labels_of_all_other_rows_are_overwritten_and_stay_of_their_kind(labels: Any) -> None:
    before = repr(labels)
    found = without_others(labels, np.array([1, 3]), 5)
    values = found["label"].to_list() if isinstance(found, pd.DataFrame) else list(found)
    assert [value if isinstance(value, str) else value[0] for value in values] == SHOWN
    assert type(found) is type(labels)
    if hasattr(labels, "index") and not isinstance(labels, list):
        assert found.index.equals(labels.index)
    assert getattr(found, "dtype", None) == getattr(labels, "dtype", None)
    assert repr(labels) == before


@pytest.mark.parametrize(
    "part", [[1, 3], np.array([1, 3]), np.array([False, True, False, True, False]), slice(1, 4, 2), pd.Index([1, 3])]
)
def test_a_fold_may_be_given_as_rows_a_mask_or_a_slice(part: Any) -> None:
    assert rows_of(part, 5).tolist() == [1, 3]
