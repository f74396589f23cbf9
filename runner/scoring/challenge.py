"""Hold an event's kit with its labels, to score one result after the other.

Run by the Python of the kit's environment (3.8 or newer), with the kit's folder as the current one.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from runner.job.run_blind import SUFFIXES, rows_of, versions, without_others
from runner.job.run_folds import Kit
from runner.scoring import arrays
from runner.scoring.arrays import Expected, Refused

MOST_BYTES = 512 * 2**20
"""What is sent with every submission may not be more than what a submission may be."""

_PICKLE_PROTOCOL = 4  # Python 3.8 reads it
_HOOKS = ("save_y_pred", "load_y_pred", "save_submission")


class NotAllowed(Exception):
    """The kit cannot be scored away from its hosts; the text is one clause about it."""


class Broken(Exception):
    """The kit's own code fails at what it should do; the text is one clause."""


class Challenge:
    """The kit, read once. Raises NotAllowed, or whatever the kit's own code raises."""

    def __init__(self, kit_dir: str, data_dir: str) -> None:
        self._hears = _Opened()
        self._read(kit_dir, data_dir)
        self.labels = self._digest()
        self.size = self._packed_size()
        self._takes_its_own = self._scores_its_own()

    def about(self) -> dict[str, Any]:
        """What the other side is told once: a name for labels and folds, the kit's files that are read for data."""
        return {"labels": self.labels, "folds": len(self.kit.cv), "read": self.read_for_data}

    def pack(self, file: BinaryIO) -> None:
        """Write the bundle of a job: `size` bytes."""
        _pack(self._content(), file)

    def score(self, folder: Path, times: list[list[float]]) -> dict[str, Any]:
        """Give `scores.csv` of each fold, and `bagged_scores.csv`, as ramp-test writes them.

        `times` are the seconds of each fold's three steps. Raises Refused where predictions cannot be scored, Broken
        where the kit cannot.
        """
        _seed(4)  # score types that draw do so alike for everybody
        if len(times) != len(self.kit.cv):
            raise Refused(f"there are {len(times)} folds, not {len(self.kit.cv)}")
        results = []
        for number, seconds in enumerate(times):
            y_pred = {suffix: self._predictions(folder / f"fold_{number}", suffix) for suffix in SUFFIXES}
            with self._blamed(f"fold {number} cannot be scored"):
                results.append(self.kit.score(number, y_pred, seconds))
        with self._blamed("the folds cannot be combined"), tempfile.TemporaryDirectory() as scratch:
            self.kit.bag(results, Path(scratch))
            bagged = Path(scratch, "bagged_scores.csv").read_text()
        return {"folds": [scores.to_csv() for _, _, scores in results], "bagged": bagged}

    def _read(self, kit_dir: str, data_dir: str) -> None:
        from rampwf.utils.testing import assert_read_problem

        with self._hears.files() as opened:
            problem = assert_read_problem(kit_dir)
        _check_problem(problem)
        data = _real(os.path.join(data_dir, "data"))  # noqa: PTH118
        if any(path.startswith(data + os.sep) for path in opened):
            raise NotAllowed("its problem.py reads files of data/ when it is loaded")
        before = _seed(1)
        with self._hears.files() as read:
            self.kit = Kit(kit_dir, data_dir)
        self._chance = self._set_by_kit(before, kit_dir, data_dir)
        kit = _real(kit_dir) + os.sep
        names = (path[len(kit) :] for path in read - opened if path.startswith(kit))
        self.read_for_data = sorted(name for name in names if not name.endswith((".py", ".pyc")))
        self._check_labels()
        self._check_folds()

    def _set_by_kit(self, before: list[Any], kit_dir: str, data_dir: str) -> list[Any]:
        """The states of those generators that go on from one place, wherever they were before; None for the others."""
        after = _chance()
        if all(map(_same, before, after)):
            return [None, None]
        _seed(2)
        Kit(kit_dir, data_dir)
        again = _chance()
        return [state if _same(state, again[index]) else None for index, state in enumerate(after)]

    def _check_folds(self) -> None:
        kit = self.kit
        _seed(3)
        again = list(kit.problem.get_cv(kit.x_train, kit.y_train))
        if not kit.cv:
            raise NotAllowed("its get_cv gives no fold")
        if self._folds(again) != self._folds(kit.cv):
            raise NotAllowed("its get_cv gives other folds each time: give it a fixed random_state")

    def _check_labels(self) -> None:
        kit = self.kit
        if kit.y_test is None:
            raise NotAllowed("its get_test_data gives no labels, so there are none to be kept")
        if not (isinstance(kit.y_train, (np.ndarray, list)) or hasattr(kit.y_train, "iloc")):
            name = type(kit.y_train).__name__
            raise NotAllowed(
                f"its labels are of type {name}: an array, a list or a table of pandas could be overwritten"
            )
        truths = {"train": kit.y_train, "test": kit.y_test}
        self._truths = {name: kit.problem.Predictions(y_true=labels) for name, labels in truths.items()}
        is_classified = bool(getattr(kit.problem.Predictions, "label_names", ())) and hasattr(
            kit.problem.Predictions, "y_pred_label_index"
        )
        self.expected = {
            name: Expected(np.shape(truth.y_pred), _kind(truth.y_pred), is_classified)
            for name, truth in self._truths.items()
        }

    def _content(self) -> dict[str, Any]:
        """All a job may know: labels of rows that no fold trains on stay here too."""
        kit, count = self.kit, self.expected["train"].shape[0]
        trained = np.unique(np.concatenate([rows_of(train_is, count) for train_is, _ in kit.cv]))
        return {
            "x_train": kit.x_train,
            "y_train": without_others(kit.y_train, trained, count),
            "x_test": kit.x_test,
            "cv": kit.cv,
            "rows": {name: expected.shape[0] for name, expected in self.expected.items()},
            "chance": self._chance,
        }

    def _packed_size(self) -> int:
        counter = _Counter()
        try:
            _pack(self._content(), counter)
        except Exception as error:
            raise NotAllowed(f"its data cannot be pickled: {type(error).__name__}: {error}") from error
        if counter.size > MOST_BYTES:
            size, most = (f"{count / 2**20:.0f} MiB" for count in (counter.size, MOST_BYTES))
            raise NotAllowed(f"its data are {size} large, and more than {most} are not sent with every submission")
        return counter.size

    def _digest(self) -> str:
        """Name the labels, and the folds they are in."""
        digest = hashlib.sha256()
        for truth in self._truths.values():
            y_pred = np.asarray(truth.y_pred)
            values = y_pred.astype(float) if y_pred.dtype.hasobject else y_pred
            digest.update(repr((values.dtype.str, values.shape)).encode() + np.ascontiguousarray(values).tobytes())
        digest.update(self._folds(self.kit.cv).encode())
        return digest.hexdigest()

    def _folds(self, cv: Any) -> str:
        count = self.expected["train"].shape[0]
        digest = hashlib.sha256()
        for fold in cv:
            for part in fold[:2]:
                rows = rows_of(part, count).astype(np.int64)
                digest.update(repr(rows.shape).encode() + rows.tobytes())
        return digest.hexdigest()

    def _scores_its_own(self) -> bool:
        """Whether the kit can score its own labels: what it fails at later is then the predictions' fault."""
        y_pred = {name: truth.y_pred for name, truth in self._truths.items()}
        try:
            results = [self.kit.score(number, y_pred, [0.0, 0.0, 0.0]) for number in range(len(self.kit.cv))]
            with tempfile.TemporaryDirectory() as scratch:
                self.kit.bag(results, Path(scratch))
        except Exception:
            return False
        return True

    def _predictions(self, fold: Path, suffix: str) -> Any:
        name = f"y_pred_{suffix}.npz"
        try:
            return arrays.read(fold / name, self.expected[suffix])
        except Refused as error:
            raise Refused(f"{fold.name}/{name} {error}") from error

    @contextmanager
    def _blamed(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            told = f"{what}: {type(error).__name__}: {str(error)[:300]}"
            raise (Refused if self._takes_its_own else Broken)(told) from error


class _Opened:
    """Hears which files Python opens; what a library opens by itself is not heard."""

    def __init__(self) -> None:
        self._heard = None  # type: set[str] | None
        sys.addaudithook(self._hear)

    @contextmanager
    def files(self) -> Iterator[set[str]]:
        """The real paths of the files opened within the block."""
        heard = set()  # type: set[str]
        self._heard = heard
        try:
            yield heard
        finally:
            self._heard = None

    def _hear(self, event: str, arguments: Any) -> None:
        if event == "open" and self._heard is not None and isinstance(arguments[0], (str, os.PathLike)):
            self._heard.add(_real(os.fspath(arguments[0])))


class _Counter:
    """A file that keeps nothing of what is written but how much it is."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, data: Any) -> int:
        size = len(memoryview(data).cast("B"))
        self.size += size
        return size


def _pack(content: dict[str, Any], file: Any) -> None:
    file.write(json.dumps(versions()).encode() + b"\n")
    pickle.dump(content, file, protocol=_PICKLE_PROTOCOL)


def _check_problem(problem: Any) -> None:
    for name in ("get_train_data", "get_test_data", "get_cv"):
        if not hasattr(problem, name):
            raise NotAllowed(f"its problem.py has no {name}")
    for name in _HOOKS:
        if hasattr(problem, name):
            raise NotAllowed(f"its problem.py keeps predictions in a way of its own ({name})")
    if not getattr(problem, "folds_are_independent", True):
        raise NotAllowed("its problem.py says that its folds depend on each other (folds_are_independent)")


def _kind(y_pred: Any) -> str:
    """The kind of a kit's own predictions; numbers may be kept as objects."""
    values = np.asarray(y_pred)
    if values.ndim == 0 or values.dtype.kind == "V":
        raise NotAllowed("its predictions are no arrays of numbers")
    if not values.dtype.hasobject:
        return values.dtype.kind
    try:
        return values.astype(float).dtype.kind
    except (TypeError, ValueError) as error:
        raise NotAllowed("its predictions are Python objects, which could only come back pickled") from error


def _real(path: str) -> str:
    return os.path.realpath(path)


def _seed(seed: int) -> list[Any]:
    random.seed(seed)
    np.random.seed(seed)
    return _chance()


def _chance() -> list[Any]:
    """The states of Python's generator and numpy's."""
    return [random.getstate(), np.random.get_state()]


def _same(one: Any, other: Any) -> bool:
    return all(map(np.array_equal, one, other))
