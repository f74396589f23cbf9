"""Put a run's scores beside its predictions, and take away what the submission put there."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from runner import whole_files

_OF_A_FOLD = frozenset(
    {"y_pred_train.npz", "y_pred_test.npz", "train_time", "valid_time", "test_time", "state.txt", "error.txt"}
)


def clear(output_dir: Path, folds: int) -> None:
    """Leave nothing but what a job that knows no label has to leave."""
    names = {f"fold_{number}" for number in range(folds)}
    for path in output_dir.iterdir():
        if path.name not in names:
            _remove(path)
        elif path.is_dir():
            for inside in path.iterdir():
                if inside.name not in _OF_A_FOLD or inside.is_dir():
                    _remove(inside)


def place(output_dir: Path, folds: Sequence[str], bagged: str) -> None:
    """Write `scores.csv` of each fold and `bagged_scores.csv`, each whole or not at all."""
    for number, table in enumerate(folds):
        folder = output_dir / f"fold_{number}"
        whole_files.write(folder / "scores.csv", table, mode=0o644)
        whole_files.write(folder / "state.txt", "scored", mode=0o644)
    whole_files.write(output_dir / "bagged_scores.csv", bagged, mode=0o644)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
