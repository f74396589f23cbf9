"""Make a run's work of a submission by its event's configuration."""

from __future__ import annotations

from contracts.event import EventConfig
from contracts.work import JobLimits, Work
from runner.carrying import salvaged
from runner.stages import log_files


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
    worker, mib = event.worker, 2**20
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
        timeout_s=worker.timeout,
        n_threads=event.dispatcher.n_threads,
        memory_limit_bytes=None if worker.memory_limit_mib is None else worker.memory_limit_mib * mib,
        folds=expected[0],
        score_types=expected[1],
        lease_token=lease_token,
        on_demand=on_demand,
        salvage_dir=salvage_dir,
        salvaged=salvaged.folds_in(salvage_dir),
        limits=JobLimits(
            tasks=worker.tasks_limit,
            cpus=worker.cpu_limit,
            file_bytes=worker.file_size_limit_mib * mib,
            disk_bytes=worker.disk_limit_mib * mib,
        ),
        isolation=worker.isolation,
        withholds_log=worker.withhold_logs,
        shown_log_bytes=worker.shown_log_kib * 1024,
        whole_log_dir=log_files.whole_log_dir(event.state_dir, submission_id),
    )
