"""A challenge of four folds whose data is made on the spot."""

from __future__ import annotations

import os

import numpy as np
import rampwf
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedShuffleSplit

problem_title = "Four folds"
folds_are_independent = "DEPENDENT_FOLDS" not in os.environ

Predictions = rampwf.prediction_types.make_multiclass(label_names=["high", "low", "middle"])
workflow = rampwf.workflows.Estimator()
score_types = [rampwf.score_types.NegativeLogLikelihood(name="nll"), rampwf.score_types.Accuracy(name="acc")]


def get_train_data(path: str = ".") -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    return _made(seed=1, rows=90)


def get_test_data(path: str = ".") -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    return _made(seed=2, rows=30)


def get_cv(x: NDArray[np.float64], y: NDArray[np.object_]) -> list[tuple[NDArray[np.int_], NDArray[np.int_]]]:
    seed = None if "RANDOM_FOLDS" in os.environ else 7
    return list(StratifiedShuffleSplit(n_splits=4, test_size=0.3, random_state=seed).split(x, y))


def _made(seed: int, rows: int) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    chance = np.random.default_rng(seed)
    features = chance.normal(size=(rows, 3))
    bins = np.digitize(features.sum(axis=1) + chance.normal(scale=0.5, size=rows), [-1.0, 1.0])
    return features, np.array(["low", "middle", "high"], dtype=object)[bins]
