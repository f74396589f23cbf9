"""Every submission that waits says what it waits for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from runner.store import EventReport, Pause, SubmissionRow
from tasks.status import Standing, sentence, standings

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FIRST = SubmissionRow(1, "red", "one", "new", NOW, queue_position=1)
SECOND = SubmissionRow(2, "red", "two", "new", NOW, queue_position=2)
RUNNING = SubmissionRow(3, "red", "three", "training", NOW, stage="wait", started_at=NOW)
HELD = SubmissionRow(
    4,
    "red",
    "four",
    "new",
    NOW,
    queue_position=1,
    held="no capacity for t3.medium",
    held_until=NOW + timedelta(hours=1),
)


def waits(report: EventReport, n_workers: int = 1) -> list[str]:
    return [one.waits_for for one in standings(report, n_workers=n_workers, at=NOW)]


def test_the_first_in_an_idle_queue_waits_for_a_dispatcher() -> None:
    expected = ["a dispatcher to take it", "1 in the queue before it"]
    assert waits(EventReport("iris", (FIRST, SECOND))) == expected


def test_a_free_place_beside_a_run_is_a_matter_of_moments() -> None:
    assert waits(EventReport("iris", (FIRST, RUNNING)), n_workers=2) == ["its turn to be taken", ""]


def test_those_behind_runs_and_others_are_told_how_many() -> None:
    assert waits(EventReport("iris", (FIRST, SECOND, RUNNING))) == ["1 run", "1 run and 1 in the queue before it", ""]


def test_a_held_submission_gives_the_reason_and_the_time() -> None:
    assert waits(EventReport("iris", (HELD,))) == ["no capacity for t3.medium, until 2026-11-20 13:00:00Z"]


def test_nothing_of_a_paused_event_waits_for_anything_else() -> None:
    pause = Pause(NOW, "the kit failed three times")
    assert waits(EventReport("iris", (HELD,), pause)) == ["the event is paused: the kit failed three times"]


def test_a_run_without_a_dispatcher_says_that_it_waits_to_be_adopted() -> None:
    assert sentence(Standing(RUNNING)) == "wait"
    assert sentence(Standing(replace(RUNNING, orphaned=True))) == "wait, waits to be adopted: its dispatcher is gone"
