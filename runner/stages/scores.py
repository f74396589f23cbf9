"""Read what a job left into scores, or say why there are none."""

from __future__ import annotations

import csv
import io
import math
import stat
from collections.abc import Iterable
from pathlib import Path

from contracts.errors import KitChanged
from contracts.work import BaggedScores, Blame, Cause, Failed, FoldScores, JobEnd, Pulled, Pushed, Scored, Work
from runner.clip import clipped
from runner.judging.blame import judge
from runner.ports import Scorer
from runner.scoring import placing

_MAX_CSV_BYTES = 2**20
_MAX_TIME_BYTES = 64
_MAX_LOG_BYTES = 8 * 2**20
_MAX_FOLDS = 10_000
_FOLD_TITLE = "CV fold "  # it is printed before the submission is loaded
_STEPS = ("train", "valid", "test")
_STEPS_WITHOUT_TEST_LABELS = ("train", "valid")


class Unusable(Exception):
    """The output breaks ramp-test's format; the text is one clause."""


def score(pulled: Pulled, scorer: Scorer | None = None) -> Scored | Failed:
    """Judge the job's end, then read its scores. The files come from hostile code, so nothing in them is trusted.

    Scores of a job that had no labels are made by `scorer` before. Raises KitChanged or KitInvalid where they cannot.
    """
    pushed, exit = pulled.finished.launched.pushed, pulled.finished.exit
    work = pushed.provisioned.claimed.work
    folder = pulled.output_dir if pulled.output_dir is not None and pulled.output_dir.is_dir() else None
    if exit.end is not JobEnd.EXITED or exit.code != 0 or folder is None:
        log = _head_and_tail(pulled.log_path)
        began = folder is not None or exit.code == 0 or _FOLD_TITLE in log
        verdict = judge(work, exit, log, began=began)
        return Failed(work, verdict.blame, verdict.cause, verdict.message, verdict.traceback, exit)
    try:
        refused = _scored_here(folder, pushed, scorer) if pushed.is_blind else ""
        if refused:
            message = f"the submission's predictions were refused: {clipped(refused, head=300, tail=100)}"
            return Failed(work, Blame.PARTICIPANT, Cause.BAD_OUTPUT, message, exit=exit)
        folds = read_folds(folder, work)
        bagged = read_bagged(folder, folds)
    except Unusable as error:
        message = f"the run ended well but its scores cannot be used: {clipped(str(error), head=300, tail=100)}"
        return Failed(work, Blame.PARTICIPANT, Cause.BAD_OUTPUT, message, exit=exit)
    return Scored(pulled, folds, bagged)


def _scored_here(folder: Path, pushed: Pushed, scorer: Scorer | None) -> str:
    """Have the predictions scored; whatever else the job left is no part of the result."""
    if scorer is None:
        raise KitChanged("the event's runs are scored on their hosts by now")
    count = _count_folds(folder, pushed.provisioned.claimed.work)
    placing.clear(folder, count)
    times = [read_times(folder / f"fold_{number}") for number in range(count)]
    return scorer.score(folder, pushed.labels, times)


def read_folds(folder: Path, work: Work) -> tuple[FoldScores, ...]:
    """Read `fold_0`, `fold_1`, ... as far as the event has folds, or as they go on where that is not known."""
    count = _count_folds(folder, work)
    folds = tuple(read_fold(folder / f"fold_{number}", number) for number in range(count))
    first = folds[0].scores
    for fold in folds[1:]:
        if fold.scores.keys() != first.keys() or fold.scores["valid"].keys() != first["valid"].keys():
            raise Unusable(f"fold_{fold.fold} has other scores than fold_0")
    check_score_types(tuple(first["valid"]), work)
    return folds


def _count_folds(folder: Path, work: Work) -> int:
    present = {path.name for path in folder.iterdir() if path.name.startswith("fold_")}
    count = work.folds or min(len(present), _MAX_FOLDS)
    wanted = {f"fold_{number}" for number in range(count)}
    if not wanted or wanted - present:
        missing = ", ".join(sorted(wanted - present)) or "fold_0"
        raise Unusable(f"{missing} is missing")
    if present - wanted:
        raise Unusable(f"there are more than {count} folds")
    return count


def read_bagged(folder: Path, folds: tuple[FoldScores, ...]) -> BaggedScores:
    """Read `bagged_scores.csv`: for each step but `train`, one row per number of folds combined."""
    header, rows = _table(folder / "bagged_scores.csv")
    names = header[2:]
    if header[:2] != ["step", "n_bag"] or set(names) != set(folds[0].scores["valid"]):
        raise Unusable("the columns of bagged_scores.csv are not step, n_bag and the score types")
    steps = [step for step in folds[0].scores if step != "train"]
    if [row[:2] for row in rows] != [[step, str(number)] for step in steps for number in range(len(folds))]:
        raise Unusable(f"the rows of bagged_scores.csv are not {' and '.join(steps)} for {len(folds)} folds")
    scores: dict[str, dict[str, list[float]]] = {step: {name: [] for name in names} for step in steps}
    for row in rows:
        for name, text in zip(names, row[2:], strict=True):
            scores[row[0]][name].append(_number(text, f"'{name}' in bagged_scores.csv"))
    return BaggedScores(scores)


def check_score_types(names: tuple[str, ...], work: Work) -> None:
    """Raise Unusable where a fold has other scores than the event asks for."""
    if work.score_types and set(names) != set(work.score_types):
        raise Unusable(f"the scores are {', '.join(sorted(names))}, those of the event {', '.join(work.score_types)}")


def read_fold(folder: Path, number: int) -> FoldScores:
    """Read one fold's times and scores; raises Unusable."""
    header, rows = _table(folder / "scores.csv")
    if header[0] != "step" or header[-1] != "time" or len(header) < 3:
        raise Unusable(f"the columns of {folder.name}/scores.csv are not step, the score types and time")
    steps = tuple(row[0] for row in rows)
    if steps not in (_STEPS, _STEPS_WITHOUT_TEST_LABELS):
        raise Unusable(f"the rows of {folder.name}/scores.csv are not train, valid and test")
    names = header[1:-1]
    scores = {
        row[0]: {
            name: _number(text, f"'{name}' in {folder.name}/scores.csv")
            for name, text in zip(names, row[1:-1], strict=True)
        }
        for row in rows
    }
    times = {step: _time(folder / f"{step}_time") for step in steps}
    return FoldScores(number, times["train"], times["valid"], times.get("test", 0.0), scores)


def read_times(folder: Path) -> tuple[float, ...]:
    """Read the seconds of a fold's three steps; raises Unusable."""
    return tuple(_time(folder / f"{step}_time") for step in _STEPS)


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    """Give header and rows of a CSV file whose rows all have the header's length and whose columns differ."""
    shown = _shown(path)
    try:
        lines = list(csv.reader(io.StringIO(_text(path, _MAX_CSV_BYTES), newline=""), strict=True))
    except csv.Error as error:
        raise Unusable(f"{shown} is no CSV file") from error
    if not lines or not lines[0]:
        raise Unusable(f"{shown} is empty")
    header, rows = lines[0], lines[1:]
    if len(set(header)) != len(header) or any(len(row) != len(header) for row in rows):
        raise Unusable(f"{shown} is no table")
    return header, rows


def _time(path: Path) -> float:
    seconds = _number(_text(path, _MAX_TIME_BYTES), _shown(path))
    if seconds < 0:
        raise Unusable(f"{_shown(path)} is negative")
    return seconds


def _number(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise Unusable(f"{what} is no number") from error
    if not math.isfinite(value):
        raise Unusable(f"{what} is {value}, not a finite number")
    return value


def _text(path: Path, limit: int) -> str:
    try:
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise Unusable(f"{_shown(path)} is not a file")
        if status.st_size > limit:
            raise Unusable(f"{_shown(path)} is larger than {limit} bytes")
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise Unusable(f"{_shown(path)} is missing") from error
    except NotADirectoryError as error:
        raise Unusable(f"{path.parent.name} is not a folder") from error
    except UnicodeDecodeError as error:
        raise Unusable(f"{_shown(path)} is not UTF-8 text") from error


def _shown(path: Path) -> str:
    return f"{path.parent.name}/{path.name}" if path.parent.name.startswith("fold_") else path.name


def _head_and_tail(path: Path) -> str:
    """Read a log, of a huge one the two ends; a run may have left none."""
    try:
        with path.open("rb") as log:
            head = log.read(_MAX_LOG_BYTES)
            log.seek(max(log.tell(), path.stat().st_size - _MAX_LOG_BYTES))
            return b"".join(_pieces(head, log.read())).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _pieces(head: bytes, tail: bytes) -> Iterable[bytes]:
    return (head, b"\n", tail) if tail else (head,)
