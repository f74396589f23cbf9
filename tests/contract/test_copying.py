"""An event moves from the embedded SQLite database to PostgreSQL with all that is known of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from contracts.errors import AskedWrongly, UnknownName
from contracts.image import ImageRecord, ImageStatus
from contracts.work import Containment
from runner.store import (
    CanaryRecord,
    CanaryRecords,
    Catalogue,
    Database,
    ImageRecords,
    SqlStore,
    copy_event,
    own_tables,
    tables,
)
from tests import filled_database
from tests.contract import store_fixtures
from tests.contract.store_fixtures import KIT, Bench, OpenDatabase, failed, scored

pytestmark = store_fixtures.NEEDS_POSTGRESQL

_NUMBERS = itertools.count(1)
IMAGE = ImageRecord("ami-1", "iris-backend 1", datetime(2026, 11, 20, tzinfo=UTC), ImageStatus.VERIFIED, build_s=60.0)
CANARY = CanaryRecord("ami-1", Containment.SYSTEMD, True, "0123", 57, ("tcp",), datetime(2026, 11, 20, tzinfo=UTC))


@pytest.fixture
def source(tmp_path: Path, open_database: OpenDatabase) -> Iterator[Bench]:
    """An event in SQLite: one submission is scored, one was tried again and failed, two wait."""
    with store_fixtures.sql_bench(tmp_path, open_database("sqlite")) as bench:
        for name in ("one", "two", "three", "four"):
            bench.submit(name, team="blue" if name == "two" else "red")
        bench.score(bench.claim(), acc=0.75)
        bench.store.requeue(second := bench.claim(), "the host was lost")
        bench.store.released(second.work)
        bench.store.record_failed(failed(second := bench.claim()))
        bench.store.released(second.work)
        release_all(database_of(bench))
        since = {"since": datetime(2026, 11, 20, 12)}
        with database_of(bench).writing() as connection:
            connection.execute(sqlalchemy.insert(own_tables.holds).values(submission_id=4, reason="no host", **since))
            connection.execute(sqlalchemy.insert(own_tables.event_states).values(event="iris", organiser_errors=2))
        images = ImageRecords(database_of(bench))
        images.pin("iris", "ami-1")
        images.put("iris", IMAGE)
        CanaryRecords(database_of(bench)).add("iris", CANARY)
        yield bench


@pytest.fixture
def new_target(postgresql: Callable[[], sqlalchemy.URL]) -> Iterator[Callable[[], Database]]:
    """Make empty PostgreSQL databases."""
    made: list[Database] = []

    def make() -> Database:
        url = store_fixtures.new_postgresql_database(postgresql(), f"target{next(_NUMBERS)}")
        made.append(Database(url))
        return made[-1]

    yield make
    for database in made:
        database.close()


def database_of(bench: Bench) -> Database:
    assert bench.database is not None
    return bench.database


def release_all(database: Database) -> None:
    """Let every lease be given back, as a dispatcher does that ends."""
    with database.writing() as connection:
        connection.execute(sqlalchemy.update(own_tables.runs).values(lease_expires_at=None))


def content(database: Database) -> dict[str, list[Any]]:
    """All rows of all tables."""
    every = [*tables.metadata.sorted_tables, *own_tables.metadata.sorted_tables]
    with database.reading() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(sqlalchemy.select(table))), key=str) for table in every
        }


def names_of_tables(database: Database) -> list[str]:
    with database.reading() as connection:
        return sqlalchemy.inspect(connection).get_table_names()


def test_an_empty_database_gets_every_row_as_it_was_and_the_source_keeps_them(
    source: Bench, new_target: Callable[[], Database]
) -> None:
    before, target = content(database_of(source)), new_target()
    counts = copy_event(database_of(source), target, "iris")
    assert content(target) == before
    assert content(database_of(source)) == before
    assert counts == {name: len(rows) for name, rows in before.items()}
    assert (counts["submissions"], counts["rampart_runs"], counts["rampart_holds"]) == (4, 3, 1)
    images = ImageRecords(target)
    assert (images.pinned("iris"), images.all("iris")) == ("ami-1", (IMAGE,))
    assert CanaryRecords(target).last("iris", "ami-1") == CANARY


def test_the_event_goes_on_in_the_new_database(source: Bench, new_target: Callable[[], Database]) -> None:
    target = new_target()
    copy_event(database_of(source), target, "iris")
    url = target.url.render_as_string(hide_password=False)
    store = SqlStore(url, source.event, source.clock, owner="after")
    books = Catalogue(store.database, source.clock)
    assert books.leaderboard("iris") == source.books.leaderboard("iris")
    assert books.failures("iris") == source.books.failures("iris")
    assert books.submissions("iris") == source.books.submissions("iris")
    books.add_team("iris", "green")
    assert books.add_submission(source.event, "green", "five", source.code) == 5
    (third,) = store.claim("iris", 1)
    assert (third.work.submission, third.work.attempt) == ("three", 1)
    store.record_scored(scored(third, acc=0.9))
    assert [row.submission for row in books.leaderboard("iris").rows] == ["three", "one"]
    store.close()


def test_a_database_of_another_event_keeps_both_apart_and_shares_teams_and_problem_by_name(
    source: Bench, new_target: Callable[[], Database], tmp_path: Path, open_database: OpenDatabase
) -> None:
    target = new_target()
    copy_event(database_of(source), target, "iris")
    ramp = source.event.ramp.model_copy(update={"event_name": "again"})
    event = source.event.model_copy(update={"ramp": ramp})
    url = filled_database.place(tmp_path / "another.db")
    store = SqlStore(url, event, source.clock, owner="another")
    with store.database.writing() as connection:
        connection.exec_driver_sql("INSERT INTO sqlite_sequence VALUES ('submissions', 100)")
    books = Catalogue(store.database, source.clock)
    books.add_event(event, KIT)
    books.add_team("again", "red")
    assert books.add_submission(event, "red", "one", source.code) == 101
    (claimed,) = store.claim("again", 1)
    store.record_scored(scored(claimed, acc=0.5))
    release_all(store.database)
    copy_event(store.database, target, "again")
    there = Catalogue(target, source.clock)
    assert there.leaderboard("again") == books.leaderboard("again")
    assert there.leaderboard("iris") == source.books.leaderboard("iris")
    rows = content(target)
    assert [len(rows[name]) for name in ("events", "problems", "teams", "event_teams")] == [2, 1, 2, 3]
    assert len({row[3] for row in rows["submissions"]}) == 5  # hashes
    store.close()


def test_submissions_whose_ids_are_taken_are_refused_since_ids_name_folders(
    source: Bench, new_target: Callable[[], Database]
) -> None:
    target = new_target()
    copy_event(database_of(source), target, "iris")
    before = content(target)
    with pytest.raises(AskedWrongly, match="event 'iris' already"):
        copy_event(database_of(source), target, "iris")
    with target.writing() as connection:
        connection.execute(sqlalchemy.update(tables.events).values(name="other"))
    with pytest.raises(AskedWrongly, match="ids of iris's submissions"):
        copy_event(database_of(source), target, "iris")
    assert {**content(target), "events": []} == {**before, "events": []}


def test_an_event_with_a_run_going_on_is_refused_and_the_target_stays_empty(
    source: Bench, new_target: Callable[[], Database]
) -> None:
    source.claim()
    target = new_target()
    with pytest.raises(AskedWrongly, match="runs of iris go on"):
        copy_event(database_of(source), target, "iris")
    assert names_of_tables(target) == []


def test_an_event_nobody_knows_is_refused_and_the_target_stays_empty(
    source: Bench, new_target: Callable[[], Database]
) -> None:
    target = new_target()
    with pytest.raises(UnknownName, match="no event 'wine'"):
        copy_event(database_of(source), target, "wine")
    assert names_of_tables(target) == []


def test_a_database_made_by_ramp_is_refused_since_its_teams_belong_to_users(
    source: Bench, new_target: Callable[[], Database]
) -> None:
    target = new_target()
    with target.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE users (id integer)")
    with pytest.raises(AskedWrongly, match="made by RAMP"):
        copy_event(database_of(source), target, "iris")
    assert names_of_tables(target) == ["users"]


def test_only_sqlite_is_copied_and_only_to_postgresql(source: Bench, new_target: Callable[[], Database]) -> None:
    target = new_target()
    with pytest.raises(AskedWrongly, match="is not PostgreSQL"):
        copy_event(database_of(source), database_of(source), "iris")
    with pytest.raises(AskedWrongly, match="already"):
        copy_event(target, target, "iris")


def test_text_that_postgresql_cannot_hold_arrives_without_it(source: Bench, new_target: Callable[[], Database]) -> None:
    with database_of(source).writing() as connection:
        connection.execute(sqlalchemy.update(own_tables.runs).values(message="a\0b"))
    target = new_target()
    copy_event(database_of(source), target, "iris")
    with target.reading() as connection:
        assert set(connection.scalars(sqlalchemy.select(own_tables.runs.c.message))) == {"ab"}
