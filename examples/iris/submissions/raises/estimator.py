"""Raise while training: what a bug in a team's code looks like to the organiser."""

from typing import NoReturn

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin


class Careless(ClassifierMixin, BaseEstimator):
    """A classifier whose author forgot to convert the labels to numbers."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> NoReturn:
        """Fail at the first label."""
        raise ValueError(f"could not convert label to float: {y[0]!r}")


def get_estimator() -> Careless:
    """Give the classifier that fails."""
    return Careless()
