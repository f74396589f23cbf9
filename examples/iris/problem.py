"""Define the iris challenge for ramp-workflow: predict the species of a flower from four lengths."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import rampwf
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedShuffleSplit

problem_title = "Iris classification"

_SPECIES = ["setosa", "versicolor", "virginica"]
_TARGET = "species"

Predictions = rampwf.prediction_types.make_multiclass(label_names=_SPECIES)
workflow = rampwf.workflows.Estimator()

# The first one is the official score, which orders the leaderboard.
score_types = [
    rampwf.score_types.Accuracy(name="acc", precision=3),
    rampwf.score_types.ClassificationError(name="error", precision=3),
    rampwf.score_types.NegativeLogLikelihood(name="nll", precision=3),
]


def get_train_data(path: str = ".") -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Read the flowers a submission may learn from."""
    return _read(Path(path) / "data" / "train.csv")


def get_test_data(path: str = ".") -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Read the flowers a submission is judged by."""
    return _read(Path(path) / "data" / "test.csv")


def get_cv(X: NDArray[np.float64], y: NDArray[np.object_]) -> list[tuple[NDArray[np.int_], NDArray[np.int_]]]:
    """Split the training data into two folds, the same ones for everybody."""
    splits = StratifiedShuffleSplit(n_splits=2, test_size=0.25, random_state=57)
    return list(splits.split(X, y))


def _read(path: Path) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    table = pd.read_csv(path)
    if os.environ.get("RAMP_TEST_MODE"):  # set by `ramp-test --quick-test`
        table = table.iloc[::2]
    labels = table.pop(_TARGET).to_numpy(dtype=object)
    return table.to_numpy(dtype=np.float64), labels
