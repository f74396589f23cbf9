"""The estimate of a start says no more than the queue and the last runs tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runner.store import EventReport, Pause, SubmissionRow
from runner.telling.estimate import starts_in_s

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def waiting(submission_id: int, place: int, *, held_s: float | None = None) -> SubmissionRow:
    until = None if held_s is None else NOW + timedelta(seconds=held_s)
    held = "" if held_s is None else "no capacity"
    return SubmissionRow(
        submission_id, "red", f"s{submission_id}", "new", NOW, queue_position=place, held=held, held_until=until
    )


def running(submission_id: int, *, for_s: float) -> SubmissionRow:
    began = NOW - timedelta(seconds=for_s)
    return SubmissionRow(submission_id, "red", f"s{submission_id}", "training", NOW, started_at=began)


@pytest.mark.parametrize(
    ("rows", "n_workers", "expected"),
    [
        pytest.param([waiting(1, 1), waiting(2, 2)], 2, {1: 0, 2: 0}, id="both places are free"),
        pytest.param([waiting(1, 1), waiting(2, 2), waiting(3, 3)], 1, {1: 0, 2: 60, 3: 120}, id="one after the other"),
        pytest.param([running(1, for_s=20), waiting(2, 1)], 1, {2: 40}, id="behind one that runs"),
        pytest.param([running(1, for_s=500), waiting(2, 1)], 1, {2: 0}, id="behind one that takes longer than usual"),
        pytest.param([waiting(1, 1, held_s=600), waiting(2, 2)], 1, {1: 600, 2: 0}, id="a held one lets others pass"),
        pytest.param([waiting(1, 1, held_s=-5)], 1, {1: 0}, id="a hold that is over"),
        pytest.param([running(1, for_s=0), running(2, for_s=30), waiting(3, 1)], 1, {3: 30}, id="two elsewhere"),
    ],
)
def test_a_start_is_estimated_from_the_mean_run(
    rows: list[SubmissionRow], n_workers: int, expected: dict[int, float]
) -> None:
    assert starts_in_s(EventReport("iris", tuple(rows), None, 60.0), n_workers=n_workers, now=NOW) == expected


def test_nobody_knows_a_start_before_a_run_has_ended_or_while_the_event_is_paused() -> None:
    rows = (waiting(1, 1),)
    assert starts_in_s(EventReport("iris", rows), n_workers=1, now=NOW) == {}
    assert starts_in_s(EventReport("iris", rows, Pause(NOW, "the kit failed"), 60.0), n_workers=1, now=NOW) == {}
