"""Compare a submission whose folds are trained side by side with the same one after the other."""

from __future__ import annotations

import os
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

from benchmarks import deployment, script
from benchmarks.figures import Figure
from benchmarks.serving import serve

FOLDS = 4
KIT = deployment.REPOSITORY / "tests" / "data" / "kits" / "four_folds"
EVENT = """
ramp: {{problem_name: iris, event_name: iris, kit_dir: {kit}, data_dir: {kit}}}
worker: {{{worker}, folds_at_a_time: {at_a_time}}}
dispatcher: {{n_workers: 1, n_threads: 1, hunger_policy: exit}}
"""
_HERE = f"worker_type: conda, env: venv, venv_dir: {sys.prefix}"
SLEEPS = """
import time
from sklearn.tree import DecisionTreeClassifier

class Slow(DecisionTreeClassifier):
    def fit(self, X, y):
        time.sleep({fold_s})
        return super().fit(X, y)

def get_estimator():
    return Slow(max_depth=3, random_state=0)
"""


def measure(quick: bool) -> list[Figure]:
    """Folds that sleep go on side by side on however few cores."""
    fold_s = 3.0 if quick else 20.0
    one_s, side_by_side_s = (submission_s(_HERE, fold_s, at_a_time) for at_a_time in (1, FOLDS))
    what = f"one submission of {FOLDS} folds of {fold_s:g} s, claim to record"
    cores = f"the folds sleep, so they need no core, but {FOLDS} jobs start at once on the {os.cpu_count()} there are"
    how = f"{one_s:.1f} s against {side_by_side_s:.1f} s; {cores}"
    return [
        Figure(f"{what}: {FOLDS} folds at a time, against one", round(one_s / side_by_side_s, 2), "x", "≥ 3 x", how),
        Figure(
            f"{what}: {FOLDS} folds at a time, against the training of one fold",
            round(side_by_side_s / fold_s, 2),
            "x",
            "",
            f"{side_by_side_s - fold_s:.1f} s more: two jobs one after the other start, import and read the kit",
        ),
    ]


def submission_s(worker: str, fold_s: float, at_a_time: int) -> float:
    """Seconds from claim to record of a submission whose folds sleep; `worker` is the inside of the event's section."""
    with tempfile.TemporaryDirectory(prefix="rampart-bench-") as name:
        folder = Path(name)
        event = deployment.opened(folder, EVENT.format(kit=KIT, worker=worker, at_a_time=at_a_time))
        code = folder / "code"
        code.mkdir()
        (code / "estimator.py").write_text(SLEEPS.format(fold_s=fold_s))
        deployment.fill_queue(event, code, 1)
        ended = serve(event)[0]
        return (ended.recorded_at - ended.claimed_at) / timedelta(seconds=1)


if __name__ == "__main__":
    script.main(measure)
