"""Print 50 MB while training, then classify honestly: a submission that fills logs."""

import sys

import numpy as np
from sklearn.naive_bayes import GaussianNB

_MB_PER_FOLD = 25  # the challenge has two folds
_LINE = "loss went down a little, as it does " + "." * 63 + "\n"


class Talkative(GaussianNB):
    """A naive Bayes classifier that reports every step it does not take."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> "Talkative":
        """Print, then learn."""
        block = _LINE * 10_000
        for _ in range(_MB_PER_FOLD * 1_000_000 // len(block)):
            sys.stdout.write(block)
        return super().fit(X, y)


def get_estimator() -> Talkative:
    """Give the classifier that talks; so much smoothing keeps it from the top of the leaderboard."""
    return Talkative(var_smoothing=0.5)
