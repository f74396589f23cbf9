"""Tell the species by a single length: the honest, simple submission every team starts from."""

from sklearn.tree import DecisionTreeClassifier


def get_estimator() -> DecisionTreeClassifier:
    """Give a tree of one question, which can name two of the three species."""
    return DecisionTreeClassifier(max_depth=1, random_state=0)
