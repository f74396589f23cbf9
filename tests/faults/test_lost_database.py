"""A database that is away for a while costs nothing: what happened meanwhile is written down afterwards, once."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from tests.contract import store_fixtures
from tests.contract.store_fixtures import NEEDS_POSTGRESQL
from tests.faults.conftest import Rehearse
from tests.faults.jobs import STAND_IN
from tests.faults.rehearsal import Rehearsal
from tests.faults.troubles import Trouble
from tests.faults.wire import Wire

_NUMBERS = itertools.count(1)
_WAITS = "waits for the database"


@pytest.fixture(scope="module")
def server() -> Iterator[URL]:
    """A PostgreSQL server of this file's own, which nothing happens to: it is the way there that is lost."""
    programs = store_fixtures.postgresql_programs()
    assert programs is not None
    with store_fixtures.postgresql_server(programs) as url:
        yield url


@dataclass(frozen=True, slots=True)
class Distant:
    """A database behind a wire."""

    wire: Wire
    url: str


@pytest.fixture
def distant(server: URL) -> Iterator[Distant]:
    """A database with its tables, behind a wire of its own; asked for first, it is there until the event has ended."""
    name = f"distant{next(_NUMBERS)}"
    store_fixtures.make_tables(store_fixtures.new_postgresql_database(server, name))
    with Wire(Path(str(server.query["host"])) / ".s.PGSQL.5432") as wire:
        behind = URL.create("postgresql", "rampart", None, "127.0.0.1", wire.port, name)
        yield Distant(wire, behind.render_as_string())


def check_recorded_once(event: Rehearsal, ids: list[int]) -> None:
    assert event.runs() == [(1, "scored")] * len(ids)
    assert event.trainings() == {f"submission_{one:09d}": 1 for one in ids}


@NEEDS_POSTGRESQL
def test_a_result_that_finds_the_database_lost_is_recorded_once_when_it_is_back(
    distant: Distant, rehearse: Rehearse
) -> None:
    event = rehearse(database_url=distant.url)
    ids = event.submit("one", "two", code=STAND_IN.waits)
    dispatcher = event.dispatcher()
    event.until_training(2)
    distant.wire.cut()
    event.let_go_on()
    event.until("both results wait", lambda: dispatcher.said.count(_WAITS) == 2)
    distant.wire.heal()
    said = dispatcher.await_end()
    assert "scored=2, failed=0, requeued=0, unexpected=0, dropped=0" in said, said
    check_recorded_once(event, ids)


@NEEDS_POSTGRESQL
def test_a_result_whose_recording_the_database_could_not_confirm_is_recorded_once(
    distant: Distant, rehearse: Rehearse
) -> None:
    event = rehearse(database_url=distant.url)
    ids = event.submit("one", code=STAND_IN.waits)
    dispatcher = event.dispatcher()
    event.until_training()
    distant.wire.lose_answer_to_commit_after(b"UPDATE submission_scores")
    event.let_go_on()
    event.until("the answer is lost", lambda: _WAITS in dispatcher.said)
    distant.wire.heal()
    said = dispatcher.await_end()
    assert "scored=1, failed=0, requeued=0, unexpected=0, dropped=0" in said, said
    check_recorded_once(event, ids)


@NEEDS_POSTGRESQL
def test_a_claim_that_the_database_could_not_confirm_is_adopted_and_run_once(
    distant: Distant, rehearse: Rehearse
) -> None:
    event = rehearse(database_url=distant.url)
    (first,) = event.submit("one", code=STAND_IN.waits)
    dispatcher = event.dispatcher(lease_s=1.0, lease_renewal_s=0.2)
    event.until_training()
    distant.wire.lose_answer_to_commit_after(b"INSERT INTO rampart_runs")
    (second,) = event.submit("two", code=STAND_IN.waits)
    event.until("the loss is noticed", lambda: "nothing is claimed meanwhile" in dispatcher.said)
    distant.wire.heal()
    event.let_go_on()
    said = dispatcher.await_end()
    assert "scored=2, failed=0, requeued=0, unexpected=0, dropped=0" in said, said
    assert "the database answers again" in said
    check_recorded_once(event, [first, second])


def test_a_result_that_finds_the_database_locked_is_recorded_once_when_it_is_free(rehearse: Rehearse) -> None:
    event = rehearse()
    ids = event.submit("one", code=STAND_IN.waits)
    dispatcher = event.dispatcher(Trouble.NO_PATIENCE_WITH_LOCKS)
    event.until_training()
    path = make_url(event.event.database_url.get_secret_value()).database
    assert path is not None
    other = sqlite3.connect(path, isolation_level=None, timeout=30)
    other.execute("BEGIN IMMEDIATE")
    event.let_go_on()
    event.until("the result waits", lambda: _WAITS in dispatcher.said)
    other.execute("ROLLBACK")
    other.close()
    dispatcher.await_end()
    check_recorded_once(event, ids)
