"""Print a kit's title, score types and number of folds as JSON; run by the Python of the kit's environment.

Usage: describe_kit.py KIT_DIR DATA_DIR. Whatever the kit prints goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from typing import Any


def describe(kit_dir: str, data_dir: str) -> dict[str, Any]:
    """Load the kit as ramp-test does and say what it declares."""
    from rampwf.utils.testing import assert_read_problem

    problem = assert_read_problem(kit_dir)
    x_train, y_train = problem.get_train_data(path=data_dir)
    return {
        "title": str(getattr(problem, "problem_title", "")),
        "folds": len(list(problem.get_cv(x_train, y_train))),
        "score_types": [
            {
                "name": one.name,
                "is_lower_the_better": bool(one.is_lower_the_better),
                "minimum": float(one.minimum),
                "maximum": float(one.maximum),
                "precision": int(one.precision),
            }
            for one in problem.score_types
        ],
    }


def main() -> None:
    """Keep standard output for the answer alone."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    kit_dir, data_dir = (os.path.abspath(folder) for folder in sys.argv[1:3])  # noqa: PTH100
    os.chdir(kit_dir)
    json.dump(describe(kit_dir, data_dir), answer)
    answer.close()


if __name__ == "__main__":
    main()
