"""What is told of a queue is true, whichever database keeps it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, update

from contracts.work import Launched
from runner.progress import Stage
from runner.store import Catalogue, EventCounts, Window
from runner.store.own_tables import holds, runs
from runner.store.schema import Schema, schema_of
from runner.store.tables import events
from tests.contract.store_fixtures import Bench, failed, launched

SINCE = datetime(2026, 11, 20, 12, 0)


def catalogue(sql: Bench) -> Catalogue:
    assert isinstance(sql.books, Catalogue)
    return sql.books


def test_what_waits_runs_or_is_left_behind_is_counted(sql: Bench) -> None:
    nothing = EventCounts(waiting=0, held=0, runs_by_stage={}, hosts=0, orphaned=0, is_paused=False)
    assert catalogue(sql).counts("iris") == nothing
    ids = [sql.submit(name) for name in ("pushed", "pushed_too", "lost", "fails", "waits", "is_held")]
    for _ in range(2):
        sql.store.stage_started(sql.claim().work, Stage.PUSH, "i-1")
    lost = sql.claim()
    sql.store.record_failed(failed(sql.claim()))
    assert sql.database is not None
    with sql.database.writing() as connection:
        its_run = runs.c.submission_id == lost.work.submission_id
        connection.execute(update(runs).where(its_run).values(lease_expires_at=SINCE - timedelta(days=900)))
        connection.execute(update(runs).where(~its_run).values(lease_expires_at=None))
        connection.execute(insert(holds).values(submission_id=ids[-1], reason="no capacity", since=SINCE))
    stages = {"push": 2, "claimed": 1}
    expected = EventCounts(waiting=2, held=1, runs_by_stage=stages, hosts=1, orphaned=1, is_paused=False)
    assert catalogue(sql).counts("iris") == expected


def test_an_event_is_open_between_its_timestamps(sql: Bench) -> None:
    assert catalogue(sql).window("mars") is None
    assert catalogue(sql).window("iris") == Window(None, None)
    assert sql.database is not None
    with sql.database.writing() as connection:
        connection.execute(update(events).values(opening_timestamp=SINCE, closing_timestamp=SINCE + timedelta(days=1)))
    window = catalogue(sql).window("iris")
    assert window is not None
    opening = SINCE.replace(tzinfo=UTC)
    moments = (opening - timedelta(seconds=1), opening, opening + timedelta(hours=23), opening + timedelta(days=1))
    assert [window.is_open(at) for at in moments] == [False, True, True, False]


def test_the_journal_of_the_latest_run_says_where_it_goes_on(sql: Bench) -> None:
    submission_id = sql.submit("one")
    assert catalogue(sql).last_value(submission_id) is None
    claimed = sql.claim()
    assert catalogue(sql).last_value(submission_id) is None
    sql.store.training_started(launched(claimed))
    value = catalogue(sql).last_value(submission_id)
    assert isinstance(value, Launched)
    assert value.pushed.provisioned.host.host_id == "i-1"


def test_a_database_says_whether_it_has_the_tables_of_this_version(sql: Bench) -> None:
    assert sql.database is not None
    assert schema_of(sql.database) is Schema.CURRENT
    with sql.database.writing() as connection:
        connection.exec_driver_sql("UPDATE rampart_schema SET version_num = '0003'")
    assert schema_of(sql.database) is Schema.BEHIND
    with sql.database.writing() as connection:
        connection.exec_driver_sql("UPDATE rampart_schema SET version_num = '9999'")
    assert schema_of(sql.database) is Schema.UNKNOWN
