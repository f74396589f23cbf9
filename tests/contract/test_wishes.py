"""What an organiser asks of the queue is done once, whichever database keeps it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select

from contracts.errors import AskedWrongly, UnknownName
from contracts.work import Blame
from runner.store import Cancelled, Catalogue, EventReport, Pause, Which, Wishes
from runner.store.own_tables import event_states, holds, runs
from tests.contract.store_fixtures import Bench, failed

SINCE = datetime(2026, 11, 20, 12, 0)


@pytest.fixture
def wishes(sql: Bench) -> Wishes:
    assert sql.database is not None
    return Wishes(sql.database, sql.clock)


def report(sql: Bench) -> EventReport:
    assert isinstance(sql.books, Catalogue)
    return sql.books.report("iris")


def hold(sql: Bench, submission_id: int, **values: object) -> None:
    assert sql.database is not None
    row = {"submission_id": submission_id, "reason": "no capacity for t3.medium", "since": SINCE}
    with sql.database.writing() as connection:
        connection.execute(insert(holds).values(row | values))


def pause(sql: Bench) -> None:
    assert sql.database is not None
    with sql.database.writing() as connection:
        row = {"event": "iris", "organiser_errors": 3, "paused_at": SINCE, "pause_reason": "the kit failed three times"}
        connection.execute(insert(event_states).values(row))


def test_a_failed_submission_that_is_retried_begins_a_generation_and_keeps_its_history(
    sql: Bench, wishes: Wishes
) -> None:
    submission_id = sql.submit("one")
    sql.store.record_failed(failed(sql.claim()))
    hold(sql, submission_id)
    wishes.retry("iris", "red", "one")
    row = sql.row(submission_id)
    assert (row.state, row.queue_position, row.held) == ("new", 1, "")
    work = sql.claim().work
    assert (work.generation, work.attempt) == (2, 2)
    assert sql.database is not None
    with sql.database.reading() as connection:
        assert list(connection.scalars(select(runs.c.stage).order_by(runs.c.id))) == ["failed", "claimed"]


def test_a_submission_that_waits_or_runs_is_not_retried(sql: Bench, wishes: Wishes) -> None:
    sql.submit("one")
    with pytest.raises(AskedWrongly, match="red/one waits already"):
        wishes.retry("iris", "red", "one")
    sql.claim()
    with pytest.raises(AskedWrongly, match="red/one is in a run") as caught:
        wishes.retry("iris", "red", "one")
    assert "invoke cancel" in caught.value.hint


def test_a_submission_another_program_left_in_training_can_be_retried(sql: Bench, wishes: Wishes) -> None:
    submission_id = sql.submit("one")
    claimed = sql.claim()
    sql.store.requeue(claimed, "stopped")
    assert sql.database is not None
    with sql.database.writing() as connection:
        connection.exec_driver_sql("UPDATE submissions SET state = 'training'")
    wishes.retry("iris", "red", "one")
    assert sql.row(submission_id).state == "new"


@pytest.mark.parametrize(
    ("which", "expected"),
    [(Which.FAILED, ["red/fails", "red/breaks"]), (Which.ENDED, ["red/scores", "red/fails", "red/breaks"])],
)
def test_all_that_failed_or_all_that_ended_are_retried_at_once(
    sql: Bench, wishes: Wishes, which: Which, expected: list[str]
) -> None:
    for name in ("scores", "fails", "breaks", "runs", "waits"):
        sql.submit(name)
    sql.score(sql.claim(), acc=0.9)
    sql.store.record_failed(failed(sql.claim()))
    sql.store.record_failed(failed(sql.claim(), Blame.ORGANISER))
    sql.claim()
    assert wishes.retry_all("iris", which) == expected
    assert wishes.retry_all("iris", which) == []


def test_a_submission_that_waits_is_cancelled_at_once(sql: Bench, wishes: Wishes) -> None:
    submission_id = sql.submit("one")
    hold(sql, submission_id)
    assert wishes.cancel("iris", "red", "one") is Cancelled.AT_ONCE
    row = sql.row(submission_id)
    assert (row.state, row.reason) == ("checking_error", "cancelled by the organiser")
    assert sql.store.claim("iris", 5) == []
    with pytest.raises(AskedWrongly, match="neither waits nor runs: it is checking_error"):
        wishes.cancel("iris", "red", "one")
    wishes.retry("iris", "red", "one")
    assert sql.claim().work.submission_id == submission_id


def test_the_end_of_a_run_is_asked_for_and_the_first_wish_is_kept(sql: Bench, wishes: Wishes) -> None:
    submission_id = sql.submit("one")
    sql.claim()
    assert sql.row(submission_id).cancel_asked_at is None
    assert wishes.cancel("iris", "red", "one") is Cancelled.ASKED
    asked_at = sql.row(submission_id).cancel_asked_at
    assert asked_at is not None
    assert wishes.cancel("iris", "red", "one") is Cancelled.ASKED
    assert sql.row(submission_id).cancel_asked_at == asked_at


def test_a_paused_event_is_shown_so_until_it_is_resumed(sql: Bench, wishes: Wishes) -> None:
    assert wishes.resume("iris") is None
    assert report(sql).pause is None
    pause(sql)
    was = Pause(SINCE.replace(tzinfo=UTC), "the kit failed three times")
    assert report(sql).pause == was
    assert wishes.resume("iris") == was
    assert report(sql).pause is None


def test_what_does_not_exist_is_named(sql: Bench, wishes: Wishes) -> None:
    for ask in (wishes.retry, wishes.cancel):
        with pytest.raises(UnknownName, match="no submission red/none in iris"):
            ask("iris", "red", "none")
        with pytest.raises(UnknownName, match="no event 'mars'"):
            ask("mars", "red", "none")
    with pytest.raises(UnknownName, match="no event 'mars'"):
        wishes.retry_all("mars", Which.FAILED)
    with pytest.raises(UnknownName, match="no event 'mars'"):
        wishes.resume("mars")


def test_a_submission_that_is_passed_over_says_why_and_until_when(sql: Bench) -> None:
    submission_id = sql.submit("one")
    until = SINCE + timedelta(minutes=10)
    hold(sql, submission_id, not_before=until)
    row = sql.row(submission_id)
    assert (row.held, row.held_until) == ("no capacity for t3.medium", until.replace(tzinfo=UTC))


def test_the_mean_time_of_ended_runs_is_told_and_of_those_only(sql: Bench) -> None:
    for name in ("one", "two", "three"):
        sql.submit(name)
    assert report(sql).run_s is None
    sql.store.requeue(sql.claim(), "lost")
    assert report(sql).run_s is None
    claimed = sql.claim()
    sql.clock.now += timedelta(seconds=59)
    sql.score(claimed, acc=0.9)
    found = report(sql)
    assert found.run_s == pytest.approx(60, abs=5)
    assert [row.submission for row in found.rows] == ["one", "two", "three"]
