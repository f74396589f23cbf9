"""Train a small tree, always the same one; say which fold it was by a line in the log."""

from sklearn.tree import DecisionTreeClassifier


def get_estimator() -> DecisionTreeClassifier:
    print("a fold is trained")
    return DecisionTreeClassifier(max_depth=3, random_state=0)
