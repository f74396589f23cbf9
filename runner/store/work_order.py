"""Make a run's work of a submission by its event's configuration."""

from __future__ import annotations

from contracts.event import EventConfig
from contracts.work import Work
from runner.carrying import salvaged


def work_order(
    event: EventConfig,
    *,
    submission_id: int,
    team: str,
    submission: str,
    run: tuple[int, int],
    expected: tuple[int, tuple[str, ...]],
    lease_token: str,
    on_demand: bool,
) -> Work:
    """Fill in folders and limits. `run` is generation and attempt, `expected` the folds and score types to come."""
    limit = event.worker.memory_limit_mib
    salvage_dir = salvaged.folder_of(event.state_dir, submission_id, generation=run[0])
    return Work(
        submission_id=submission_id,
        event=event.name,
        team=team,
        submission=submission,
        generation=run[0],
        attempt=run[1],
        submission_dir=event.ramp.submissions_dir / f"submission_{submission_id:09d}",
        logs_dir=event.ramp.logs_dir,
        predictions_dir=event.ramp.predictions_dir,
        timeout_s=event.worker.timeout,
        n_threads=event.dispatcher.n_threads,
        memory_limit_bytes=None if limit is None else limit * 2**20,
        folds=expected[0],
        score_types=expected[1],
        lease_token=lease_token,
        on_demand=on_demand,
        salvage_dir=salvage_dir,
        salvaged=salvaged.folds_in(salvage_dir),
    )
