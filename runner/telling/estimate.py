"""Estimate when submissions that wait will start."""

from __future__ import annotations

import heapq
from datetime import datetime

from runner.store import EventReport, SubmissionRow


def starts_in_s(report: EventReport, *, n_workers: int, now: datetime) -> dict[int, float]:
    """Give the seconds until each waiting submission starts, by its id.

    As if every run took the mean time of the last ones and one dispatcher served, `n_workers` at a time. Empty where
    nobody can know: no run has ended yet, or the event is paused. A submission held without an end, and whatever
    stands behind a run that takes longer than usual, starts later than this says.
    """
    if report.run_s is None or report.pause is not None:
        return {}
    running = [row for row in report.rows if is_running(row)]
    free_at = [_left_s(row, report.run_s, now) for row in running]
    free_at += [0.0] * (n_workers - len(free_at))
    heapq.heapify(free_at)
    starts: dict[int, float] = {}
    for row in report.rows:
        if row.queue_position is None:
            continue
        held_s = (row.held_until - now).total_seconds() if row.held_until else 0.0
        starts[row.submission_id] = start = max(free_at[0], held_s)
        if start == free_at[0]:  # one that is held keeps nobody behind it from starting
            heapq.heapreplace(free_at, start + report.run_s)
    return starts


def is_running(row: SubmissionRow) -> bool:
    """Whether a dispatcher has the submission in its hands."""
    return row.started_at is not None and row.ended_at is None


def _left_s(row: SubmissionRow, run_s: float, now: datetime) -> float:
    assert row.started_at is not None  # noqa: S101 - a running one has begun
    return max(0.0, run_s - (now - row.started_at).total_seconds())
