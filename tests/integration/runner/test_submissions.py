"""The example submissions end on this machine as their names say."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.local import LocalTransport
from contracts.work import Claimed, HostAddress, HostLayout, JobEnd, Provisioned, Pulled, Work
from runner.stages import clean_up, launch, pull, push, wait

KIT = Path(__file__).parents[3] / "examples" / "iris"
BIN = Path(sys.prefix) / "bin"
MIB = 1024 * 1024

Run = Callable[..., Pulled]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run one example submission with the real ramp-test, a home of its own for the jobs."""

    def run(name: str, *, timeout_s: float = 60.0, memory_limit_bytes: int | None = None) -> Pulled:
        folders = (KIT / "submissions" / name, tmp_path / "logs", tmp_path / "predictions")
        work = Work(
            *(1, "iris", "team", name, 1, *folders, timeout_s, 1, memory_limit_bytes), whole_log_dir=tmp_path / "whole"
        )
        layout = HostLayout(str(KIT), str(KIT), str(BIN / "python"), str(BIN / "ramp-test"), is_ours=False)
        here = HostAddress("this-machine", "localhost", "me")
        provisioned = Provisioned(Claimed(work, datetime.now(UTC)), here, layout)
        transport = LocalTransport(tmp_path)
        try:
            launched = launch.launch(push.push(provisioned, transport), transport, lambda: datetime.now(UTC))
            return pull.pull(wait.wait(launched, transport), transport)
        finally:
            clean_up.clean_up(provisioned, transport)
            transport.close()

    return run


def test_an_honest_submission_leaves_scores_and_predictions(run: Run) -> None:
    pulled = run("starting_kit")
    assert (pulled.finished.exit.end, pulled.finished.exit.code) == (JobEnd.EXITED, 0)
    assert pulled.output_dir is not None
    files = {path.name for path in (pulled.output_dir / "fold_0").iterdir()}
    assert {"scores.csv", "train_time", "y_pred_train.npz", "y_pred_test.npz"} <= files
    assert (pulled.output_dir / "bagged_scores.csv").is_file()


def test_a_submission_that_raises_leaves_its_traceback(run: Run) -> None:
    pulled = run("raises")
    assert (pulled.finished.exit.end, pulled.finished.exit.code) == (JobEnd.EXITED, 1)
    assert "Traceback (most recent call last)" in pulled.log_path.read_text()


def test_a_submission_that_never_ends_is_ended(run: Run) -> None:
    pulled = run("never_ends", timeout_s=3.0)
    assert pulled.finished.exit.end is JobEnd.TIMEOUT
    assert pulled.finished.exit.wall_time_s < 60


def test_a_submission_that_prints_fifty_megabytes_is_scored_with_a_short_log(run: Run) -> None:
    pulled = run("floods")
    assert pulled.finished.exit.code == 0
    assert pulled.finished.exit.output_bytes > 50_000_000
    assert pulled.log_path.stat().st_size < 2 * MIB
    assert "bytes of output dropped" in pulled.log_path.read_text()
    work = pulled.finished.launched.pushed.provisioned.claimed.work
    shown = work.logs_dir / work.submission_key / "log"
    assert shown.stat().st_size <= work.shown_log_bytes < pulled.log_path.stat().st_size
    assert "bytes left out" in shown.read_text()


def test_a_submission_that_eats_memory_is_ended_for_it(run: Run) -> None:
    pulled = run("eats_memory", memory_limit_bytes=400 * MIB)
    assert pulled.finished.exit.end is JobEnd.OUT_OF_MEMORY
    assert pulled.finished.exit.peak_memory_bytes > 400 * MIB
