"""Take ever more memory while training: a submission that only the run's memory limit ends."""

from typing import NoReturn

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

_BLOCK_MB = 32
# Where no limit is set it stops here by itself, so that trying it by hand does not freeze the machine.
_ENOUGH_MB = 6_000


class Hoarder(ClassifierMixin, BaseEstimator):
    """A classifier that keeps every copy it makes of the data."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> NoReturn:
        """Fill block after block; each is written to, so that it counts."""
        copies = [np.ones(_BLOCK_MB * 1_000_000, dtype=np.uint8) for _ in range(_ENOUGH_MB // _BLOCK_MB)]
        raise RuntimeError(f"{len(copies) * _BLOCK_MB} MB were not refused: is a memory limit set?")


def get_estimator() -> Hoarder:
    """Give the classifier that hoards."""
    return Hoarder()
