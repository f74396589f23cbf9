"""Score columns hold what RAMP's reader expects."""

from __future__ import annotations

import pickle
import zlib

import numpy as np
import pytest

from runner.store.numpy_type import packed


@pytest.mark.parametrize("scores", [[], [0.5], [0.1, 1e-300, float("inf"), -7.0]])
def test_scores_come_back_as_they_were(scores: list[float]) -> None:
    array = pickle.loads(zlib.decompress(packed(scores)))  # noqa: S301 - our own bytes
    assert array.dtype == np.float64
    assert array.tolist() == scores


def test_the_array_is_rebuilt_by_a_name_that_every_numpy_knows() -> None:
    dumped = zlib.decompress(packed([0.5]))
    assert b"cnumpy.core.multiarray\n_reconstruct" in dumped
    assert b"numpy._core" not in dumped
