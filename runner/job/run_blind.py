"""Train a submission fold by fold without a test label in reach, and leave its predictions.

Run by the Python of the kit's environment (3.8 or newer) with ramp-test's options for kit and submission and three
more: `--bundle FILE` holds the data, `--finished FOLDER` folds an earlier run has finished, which are taken over where
they fit, `--folds 1,3` runs no others, or none where they would not be what they are in one run. Leaves the files
`ramp-test --save-output` leaves, without scores.

A bundle is a line of JSON that tells what it was packed with, then a pickle: `x_train`, `y_train`, `x_test`, the folds
`cv`, the number of `rows` to predict, and the states of `chance`, None for a generator that the kit leaves alone.
"""

from __future__ import annotations

import argparse
import json
import math
import pickle
import random
import shutil
import sys
import warnings
from inspect import signature
from pathlib import Path
from typing import Any

SUFFIXES = ("train", "test")
CANNOT_BE_APART = 79
"""Exit code, as that of run_folds.py: some folds alone were asked for, and this kit's folds cannot be run apart."""
_TIMES = ("train_time", "valid_time", "test_time")


class Data:
    """What a submission learns from, and predicts."""

    def __init__(self, bundle: Path) -> None:
        with bundle.open("rb") as file:
            packed_with = json.loads(file.readline())
            try:
                content = pickle.load(file)  # noqa: S301 - from the organiser's own machine
            except Exception as error:
                raise SystemExit(_does_not_unpack(packed_with, error)) from error
        self.x_train, self.y_train, self.x_test = (content[name] for name in ("x_train", "y_train", "x_test"))
        self.cv = content["cv"]  # type: list[tuple[Any, Any]]
        self.rows = content["rows"]  # type: dict[str, int]
        self._chance = content["chance"]

    def set_chance(self) -> None:
        """Let random numbers go on from where the kit's own code leaves them, as they do under ramp-test."""
        import numpy as np

        for set_state, state in zip((random.setstate, np.random.set_state), self._chance):  # noqa: B905 - Python 3.8
            if state is not None:
                set_state(state)

    @property
    def leaves_chance_alone(self) -> bool:
        """Whether no fold goes on with random numbers from where the fold before it ended."""
        return all(state is None for state in self._chance)

    def labels(self, number: int) -> Any:
        """The labels for one fold: true for the rows it trains on alone."""
        count = self.rows["train"]
        return without_others(self.y_train, rows_of(self.cv[number][0], count), count)


def versions() -> dict[str, str]:
    """What a pickle of data depends on."""
    found = {"python": ".".join(map(str, sys.version_info[:2]))}
    for name in ("numpy", "pandas", "scipy", "rampwf"):
        module = sys.modules.get(name)
        if module is not None:
            found[name] = str(module.__version__)
    return found


def rows_of(part: Any, count: int) -> Any:
    """The row numbers of one side of a fold, which may be indices, a mask or a slice."""
    import numpy as np

    return np.arange(count)[part if isinstance(part, slice) else np.asarray(part)]


def without_others(labels: Any, rows: Any, count: int) -> Any:
    """Overwrite the labels of all other rows by those of `rows`, in turn; gives labels of the same kind."""
    import numpy as np

    positions = np.resize(rows, count)
    positions[rows] = rows
    if hasattr(labels, "iloc"):
        taken = labels.iloc[positions]
        taken.index = labels.index
        return taken
    return [labels[position] for position in positions] if isinstance(labels, list) else labels[positions]


def main(arguments: list[str] | None = None) -> None:
    """Take over what is finished, run what is missing."""
    from rampwf.utils.pretty_print import print_title
    from rampwf.utils.testing import assert_read_problem

    options = _options(arguments)
    problem = assert_read_problem(options.ramp_kit_dir)
    print_title(f"Testing {problem.problem_title}")
    data = Data(options.bundle)
    if options.folds is not None and not data.leaves_chance_alone:
        print("This kit's folds cannot be run apart")
        sys.exit(CANNOT_BE_APART)
    submission = Path(options.ramp_submission_dir, options.submission)
    output = submission / "training_output"
    print_title(f"Training {submission} ...")
    output.mkdir(parents=True, exist_ok=True)
    print(f"Training output path: {output}")
    finished = _finished(data, options.finished)
    for folder in finished.values():  # before a line of the submission runs
        shutil.copytree(str(folder), str(output / folder.name))
    data.set_chance()
    for number in range(len(data.cv)):
        if number in finished or options.folds is None or number in options.folds:
            print_title(f"CV fold {number}")
        if number in finished:
            print("\tfinished by an earlier run")
        elif options.folds is None or number in options.folds:
            run(problem, data, number, submission, output / f"fold_{number}")
            print("\tis predicted: it is scored where its labels are")


def run(problem: Any, data: Data, number: int, submission: Path, output: Path) -> None:
    """Train one fold and keep its predictions; ends the program where the submission raises."""
    from rampwf.utils.io import save_y_pred
    from rampwf.utils.submission import train_test_submission

    output.mkdir(parents=True, exist_ok=True)
    told = {
        "problem": problem,
        "module_path": str(submission),
        "X_train": data.x_train,
        "y_train": data.labels(number),
        "X_test": data.x_test,
        "is_pickle": False,
        "is_partial_train": False,
        "save_output": True,
        "output_path": str(output),
        "trained_model_name": "trained_model.pkl",
        "fold": data.cv[number],
    }
    known = signature(train_test_submission).parameters  # older ones of ramp-workflow have fewer
    y_preds, times = train_test_submission(**{name: value for name, value in told.items() if name in known})
    for index, suffix in enumerate(SUFFIXES):
        save_y_pred(problem, y_preds[index], output_path=str(output), suffix=suffix)
    for index, name in enumerate(_TIMES):  # the last one says that the fold is whole
        (output / name).write_text(str(times[index]))


def _finished(data: Data, folder: Path | None) -> dict[int, Path]:
    """Find the finished folds that fit; one that does not is run again, and the log says why."""
    found = {}  # type: dict[int, Path]
    if folder is None:
        return found
    for number in range(len(data.cv)):
        fold = folder / f"fold_{number}"
        if fold.is_dir():
            try:
                _check(fold, data.rows)
                found[number] = fold
            except Exception as error:  # whatever is wrong with it, the fold can be run
                print(f"Fold {number} is run again: {type(error).__name__}: {error}")
    return found


def _check(fold: Path, rows: dict[str, int]) -> None:
    """Raise where predictions of a fold are missing, or are not of these data."""
    import numpy as np

    for suffix in SUFFIXES:
        with (fold / f"y_pred_{suffix}.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            count = len(arrays["y_pred"])
        if count != rows[suffix]:
            raise ValueError(f"it has {count} predictions of {rows[suffix]}")
    for name in _TIMES:
        if not math.isfinite(float((fold / name).read_text())):
            raise ValueError(f"its {name} is no time")


def _does_not_unpack(packed_with: dict[str, str], error: Exception) -> str:
    here = versions()
    told = [
        f"{name} {version}, here is {here.get(name, 'none')}"
        for name, version in sorted(packed_with.items())
        if here.get(name) != version
    ]
    why = f" (they were packed with {'; '.join(told)})" if told else ""
    return f"the data cannot be unpacked on this host{why}: {type(error).__name__}: {error}"


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a submission fold by fold without a test label in reach.")
    for option in ("--submission", "--ramp-kit-dir", "--ramp-submission-dir"):
        parser.add_argument(option, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--finished", type=Path)
    parser.add_argument("--folds", type=lambda text: {int(number) for number in text.split(",")})
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.path[0] = str(Path(sys.executable).parent)  # as for ramp-test: no file of the job folder is a module
    warnings.simplefilter("ignore")
    main()
