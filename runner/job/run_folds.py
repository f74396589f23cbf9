"""Run those folds of a submission that nobody has run yet, as ramp-test would.

Run by the Python of the kit's environment (3.8 or newer) with ramp-test's own options and two more: `--finished FOLDER`
holds folds an earlier run has finished (`fold_0`, `fold_2`, ...), which are taken over where they fit; `--folds 1,3`
runs no others, or none where they would not be what they are in one run. Once all folds are there the bagged scores are
made. Leaves the files `ramp-test --save-output` leaves.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

STEPS = ("train", "valid", "test")
CANNOT_BE_APART = 79
"""Exit code: some folds alone were asked for, and this kit's folds cannot be run apart."""

Result = Any
"""What ramp-workflow makes of a fold: predictions on its validation rows, on the test rows, and a table of scores."""


class Kit:
    """The challenge as ramp-test reads it, call by call, so that chance stands where it would stand there."""

    def __init__(self, kit_dir: str, data_dir: str) -> None:
        from rampwf.utils import testing

        self.data_dir = data_dir
        before = _chance()
        self.problem = testing.assert_read_problem(kit_dir)
        testing.assert_title(kit_dir)
        self.x_train, self.y_train, self.x_test, self.y_test = testing.assert_data(kit_dir, data_dir)
        self.cv = testing.assert_cv(kit_dir, data_dir)
        self.score_types = testing.assert_score_types(kit_dir)
        self.leaves_chance_alone = _is_same(before, _chance())

    def run(self, number: int, submission: Path, output: Path) -> Result:
        """Train and test one fold; ends the program where the submission raises."""
        from rampwf.utils.submission import run_submission_on_cv_fold

        output.mkdir(parents=True, exist_ok=True)
        result = run_submission_on_cv_fold(
            self.problem,
            str(submission),
            self.cv[number],
            self.x_train,
            self.y_train,
            self.x_test,
            self.y_test,
            save_output=True,
            fold_output_path=str(output),
            ramp_data_dir=self.data_dir,
        )
        result[2].to_csv(str(output / "scores.csv"))
        return result

    def read(self, number: int, folder: Path) -> Result:
        """Make of a finished fold's predictions what `run` made of them; raises where its scores are others by now."""
        found = STEPS if self.y_test is not None else STEPS[:2]
        y_pred = {suffix: self._predictions(folder, suffix) for suffix in ("train", "test") if suffix in found}
        result = self.score(number, y_pred, [float((folder / f"{step}_time").read_text()) for step in found])
        if result[2].to_csv() != (folder / "scores.csv").read_text():
            raise ValueError("its predictions give other scores than it has")
        return result

    def score(self, number: int, y_pred: dict[str, Any], times: list[float]) -> Result:
        """Make of a fold's predictions, on all training rows and the test rows, what `run` made of them.

        `times` are seconds of training, validating and testing, the last one only where there are test labels.
        """
        from rampwf.utils.scoring import score_matrix

        train_is, valid_is = self.cv[number]
        rows = {"train": train_is, "valid": valid_is}
        truths = {step: self.problem.Predictions(y_true=self.y_train, fold_is=rows[step]) for step in rows}
        found = {step: self.problem.Predictions(y_pred=y_pred["train"], fold_is=rows[step]) for step in rows}
        if self.y_test is not None:
            truths["test"] = self.problem.Predictions(y_true=self.y_test)
            found["test"] = self.problem.Predictions(y_pred=y_pred["test"])
        scores = score_matrix(self.score_types, ground_truth=truths, predictions=found)
        scores["time"] = times
        return found["valid"], found.get("test"), scores

    def show_means(self, results: list[Result]) -> None:
        """Print the mean scores of the folds."""
        from rampwf.utils.pretty_print import print_df_scores
        from rampwf.utils.scoring import mean_score_matrix

        title("----------------------------", "Mean CV scores", "----------------------------")
        print_df_scores(mean_score_matrix([scores for _, _, scores in results], self.score_types), indent="\t")

    def bag(self, results: list[Result], output: Path) -> None:
        """Make, and print, the scores of the combined predictions."""
        from rampwf.utils.submission import bag_submissions

        bag_submissions(
            self.problem,
            self.cv,
            self.y_train,
            self.y_test,
            [valid for valid, _, _ in results],
            [test for _, test, _ in results],
            str(output),
            ramp_data_dir=self.data_dir,
            score_type_index=None,
            save_output=True,
        )

    def folds_stand_alone(self) -> bool:
        """Whether a fold of another process is the fold it would be in this one.

        Not where the kit denies it, nor where it splits the data at random: each process has folds of its own then.
        """
        import numpy as np

        if not getattr(self.problem, "folds_are_independent", True):
            return False
        chance, numpy_chance = random.getstate(), np.random.get_state()
        again = list(self.problem.get_cv(self.x_train, self.y_train))
        random.setstate(chance)
        np.random.set_state(numpy_chance)
        return len(again) == len(self.cv) and all(
            np.array_equal(fold[part], again[number][part]) for number, fold in enumerate(self.cv) for part in (0, 1)
        )

    def _predictions(self, folder: Path, suffix: str) -> Any:
        import numpy as np

        if hasattr(self.problem, "load_y_pred"):
            return self.problem.load_y_pred(self.data_dir, str(folder), suffix)
        with (folder / f"y_pred_{suffix}.npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return arrays["y_pred"]


def main(arguments: list[str] | None = None) -> None:
    """Take over what is finished, run what is missing, bag where nothing is missing any more."""
    options = _options(arguments)
    kit = Kit(options.ramp_kit_dir, options.ramp_data_dir)
    if options.folds is not None and not (kit.leaves_chance_alone and kit.folds_stand_alone()):
        print("This kit's folds cannot be run apart")
        sys.exit(CANNOT_BE_APART)
    submission = Path(options.ramp_submission_dir, options.submission)
    output = submission / "training_output"
    results = finished(kit, options.finished) if options.finished is not None else {}
    title(f"Training {submission} ...")
    output.mkdir(parents=True, exist_ok=True)
    print(f"Training output path: {output}")
    for number in results:  # before a line of the submission runs
        shutil.copytree(str(options.finished / f"fold_{number}"), str(output / f"fold_{number}"))
    for number in range(len(kit.cv)):
        if number not in results and options.folds is not None and number not in options.folds:
            continue
        title(f"CV fold {number}")
        if number in results:
            print("\tfinished by an earlier run")
        else:
            results[number] = kit.run(number, submission, output / f"fold_{number}")
        show(results[number], kit)
    if len(results) == len(kit.cv):
        in_order = [results[number] for number in range(len(kit.cv))]
        kit.show_means(in_order)
        kit.bag(in_order, output)


def finished(kit: Kit, folder: Path) -> dict[int, Result]:
    """Read the finished folds that fit; one that does not is run again, and the log says why."""
    results = {}  # type: dict[int, Result]
    there = [number for number in range(len(kit.cv)) if (folder / f"fold_{number}").is_dir()]
    if there and not kit.folds_stand_alone():
        print("No finished fold is taken over: this kit's folds cannot be run apart")
        return results
    for number in there:
        try:
            results[number] = kit.read(number, folder / f"fold_{number}")
        except Exception as error:  # whatever is wrong with it, the fold can be run
            print(f"Fold {number} is run again: {type(error).__name__}: {error}")
    return results


def show(result: Result, kit: Kit) -> None:
    """Print a fold's scores, rounded."""
    from rampwf.utils.pretty_print import print_df_scores
    from rampwf.utils.scoring import round_df_scores

    print_df_scores(round_df_scores(result[2], kit.score_types), indent="\t")


def title(*lines: str) -> None:
    """Print in the colour ramp-test would use."""
    from rampwf.utils.pretty_print import print_title

    for line in lines:
        print_title(line)


def _chance() -> Any:
    """The states of the generators that a kit may seed for all folds together, or draw its data from."""
    import numpy as np

    return random.getstate(), np.random.get_state()


def _is_same(one: Any, other: Any) -> bool:
    import numpy as np

    return one[0] == other[0] and all(map(np.array_equal, one[1], other[1]))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Run those folds of a submission that nobody has run yet.")
    for option in ("--submission", "--ramp-kit-dir", "--ramp-data-dir", "--ramp-submission-dir"):
        parser.add_argument(option, required=True)
    parser.add_argument("--finished", type=Path)
    parser.add_argument("--folds", type=lambda text: {int(number) for number in text.split(",")})
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.path[0] = str(Path(sys.executable).parent)  # as for ramp-test: no file of the job folder is a module
    warnings.simplefilter("ignore")
    main()
