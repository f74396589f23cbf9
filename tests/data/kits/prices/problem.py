"""A regression on tables of pandas, whose reading of the data sets the state of chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import rampwf
from sklearn.model_selection import KFold

problem_title = "Prices"

Predictions = rampwf.prediction_types.make_regression()
workflow = rampwf.workflows.Estimator()
score_types = [rampwf.score_types.RMSE(name="rmse"), rampwf.score_types.RelativeRMSE(name="relative")]


def get_train_data(path: str = ".") -> tuple[Any, Any]:
    return _read(path, "train")


def get_test_data(path: str = ".") -> tuple[Any, Any]:
    return _read(path, "test")


def get_cv(x: Any, y: Any) -> list[tuple[Any, Any]]:
    return list(KFold(n_splits=3, shuffle=True, random_state=1).split(x))


def _read(path: str, name: str) -> tuple[Any, Any]:
    np.random.seed(57)
    table = pd.read_csv(Path(path) / "data" / f"{name}.csv")
    return table, table.pop("price")
