"""What every store promises of submissions that wait for another attempt, events that are paused, runs to be ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy

from contracts.errors import LeaseLost
from contracts.work import Blame, Cause, Claimed, claimed_of
from runner.store import MemoryStore, SqlStore, Wishes, own_tables
from tests.contract.store_fixtures import Bench, failed

LONG_S = 3600.0


def let_holds_end(bench: Bench) -> None:
    if bench.database is None:
        bench.clock.now += timedelta(hours=2)
        return
    with bench.database.writing() as connection:
        connection.execute(sqlalchemy.update(own_tables.holds).values(not_before=datetime(2001, 1, 1)))


def ask_to_end(bench: Bench, submission_id: int) -> None:
    if isinstance(bench.store, MemoryStore):
        bench.store.ask_to_end(submission_id)
        return
    assert bench.database is not None
    row = bench.row(submission_id)
    Wishes(bench.database, bench.clock).cancel("iris", row.team, row.submission)


def resume(bench: Bench) -> None:
    if isinstance(bench.store, MemoryStore):
        bench.store.resume("iris")
        return
    assert bench.database is not None
    Wishes(bench.database, bench.clock).resume("iris")


def fail(bench: Bench, blame: Blame, cause: Cause = Cause.KIT_BROKEN) -> None:
    bench.store.record_failed(replace(failed(bench.claim(), blame), cause=cause))


# Holds


def test_a_held_submission_is_passed_over_until_its_time_has_come(bench: Bench) -> None:
    held, free = bench.submit("held"), bench.submit("free")
    bench.store.requeue(bench.claim(), "no capacity", wait_s=LONG_S)
    assert bench.row(held).state == "new"
    assert bench.claim().work.submission_id == free
    assert bench.store.claim("iris", 5) == []
    assert bench.store.waits("iris")
    let_holds_end(bench)
    assert bench.claim().work.submission_id == held
    assert not bench.store.waits("iris")


def test_a_hold_is_for_one_wait_and_a_later_one_replaces_it(bench: Bench) -> None:
    held = bench.submit("held")
    for _ in range(2):
        bench.store.requeue(bench.claim(), "lost", Cause.HOST_LOST, wait_s=LONG_S)
        assert bench.store.claim("iris", 5) == []
        let_holds_end(bench)
    bench.store.requeue(bench.claim(), "stopped")
    assert bench.claim().work.submission_id == held


def test_a_run_is_on_demand_where_the_last_one_asked_for_it_and_only_then(bench: Bench) -> None:
    bench.submit("one")
    first = bench.claim()
    bench.store.requeue(first, "taken back three times", Cause.SPOT_RECLAIMED, on_demand=True)
    second = bench.claim()
    bench.store.requeue(second, "stopped")
    assert [one.work.on_demand for one in (first, second, bench.claim())] == [False, True, False]


def test_a_submission_that_is_asked_for_by_name_is_claimed_though_it_is_held(bench: Bench) -> None:
    bench.submit("one")
    bench.store.requeue(bench.claim(), "lost", Cause.HOST_LOST, wait_s=LONG_S, on_demand=True)
    claimed = bench.store.claim_one("iris", "red", "one")
    assert claimed is not None
    assert claimed.work.on_demand


def test_nothing_waits_where_nothing_is_held(bench: Bench) -> None:
    assert not bench.store.waits("iris")
    bench.submit("one")
    assert not bench.store.waits("iris")


def test_an_adopted_run_is_still_on_demand(sql: Bench) -> None:
    sql.submit("one")
    sql.store.requeue(sql.claim(), "taken back", Cause.SPOT_RECLAIMED, on_demand=True)
    token = sql.claim().work.lease_token
    sql.store.hand_back({token})
    (adopted,) = sql.store.adopt("iris", 1)
    assert claimed_of(adopted.value).work.on_demand


# The pause


def test_three_organiser_errors_in_a_row_pause_the_event_until_it_is_resumed(bench: Bench) -> None:
    for number in range(5):
        bench.submit(f"s{number}")
    for _ in range(2):
        fail(bench, Blame.ORGANISER)
        assert bench.store.paused("iris") == ""
    fail(bench, Blame.ORGANISER)
    assert "3 submissions in a row" in bench.store.paused("iris")
    assert "ValueError: no" in bench.store.paused("iris")
    assert bench.store.claim("iris", 5) == []
    resume(bench)
    assert bench.store.paused("iris") == ""
    fail(bench, Blame.ORGANISER)
    assert bench.store.paused("iris") == ""


@pytest.mark.parametrize(
    ("blame", "cause", "is_paused"),
    [
        (Blame.PARTICIPANT, Cause.RAISED, False),
        (Blame.PLATFORM, Cause.HOST_LOST, True),  # it says nothing about the kit
        (Blame.ORGANISER, Cause.CANCELLED, True),  # nor does the organiser's wish, which counts as no error either
    ],
)
def test_only_a_submission_that_got_its_turn_ends_the_row_of_organiser_errors(
    bench: Bench, blame: Blame, cause: Cause, is_paused: bool
) -> None:
    for number in range(5):
        bench.submit(f"s{number}")
    fail(bench, Blame.ORGANISER)
    fail(bench, Blame.ORGANISER)
    fail(bench, blame, cause)
    assert bench.store.paused("iris") == ""
    fail(bench, Blame.ORGANISER)
    assert bool(bench.store.paused("iris")) is is_paused


def test_a_score_ends_the_row_of_organiser_errors(bench: Bench) -> None:
    for number in range(4):
        bench.submit(f"s{number}")
    fail(bench, Blame.ORGANISER)
    fail(bench, Blame.ORGANISER)
    bench.score(bench.claim(), acc=0.5)
    fail(bench, Blame.ORGANISER)
    assert bench.store.paused("iris") == ""


def test_what_is_held_in_a_paused_event_is_not_waited_for(bench: Bench) -> None:
    for number in range(4):
        bench.submit(f"s{number}")
    held = bench.claim()
    for _ in range(3):
        fail(bench, Blame.ORGANISER)
    bench.store.requeue(held, "lost", Cause.HOST_LOST, wait_s=LONG_S)
    assert not bench.store.waits("iris")


def test_in_a_paused_event_one_submission_can_be_tried_by_name(bench: Bench) -> None:
    for number in range(4):
        bench.submit(f"s{number}")
    for _ in range(3):
        fail(bench, Blame.ORGANISER)
    assert bench.store.claim_one("iris", "red", "s3") is not None


# The end by the organiser's wish


def test_who_holds_a_lease_can_see_that_its_run_is_to_be_ended(bench: Bench) -> None:
    bench.submit("one")
    second = bench.submit("two")
    tokens = [one.work.lease_token for one in bench.store.claim("iris", 2)]
    assert bench.store.unwanted(tokens) == set()
    ask_to_end(bench, second)
    assert bench.store.unwanted(tokens[:1]) == set()
    assert bench.store.unwanted(tokens) == {tokens[1]}


def test_a_run_that_is_to_be_ended_never_comes_back_to_the_queue(bench: Bench) -> None:
    submission_id = bench.submit("one")
    claimed = bench.claim()
    ask_to_end(bench, submission_id)
    bench.store.requeue(claimed, "its host was lost", Cause.HOST_LOST)
    (failure,) = bench.books.failures("iris")
    assert (failure.state, failure.cause, failure.error) == (
        "checking_error",
        Cause.CANCELLED,
        "cancelled by the organiser",
    )
    assert bench.store.claim("iris", 1) == []


def test_a_run_that_ended_before_it_could_be_cancelled_keeps_its_result(bench: Bench) -> None:
    submission_id = bench.submit("one")
    claimed = bench.claim()
    ask_to_end(bench, submission_id)
    bench.score(claimed, acc=0.5)
    assert bench.row(submission_id).state == "scored"
    assert bench.store.unwanted({claimed.work.lease_token}) == set()


# Leases that end early


def test_a_lease_that_is_handed_back_can_be_adopted_at_once(bench: Bench) -> None:
    bench.submit("one")
    bench.submit("two")
    kept, back = (one.work for one in bench.store.claim("iris", 2))
    bench.store.hand_back({back.lease_token})
    (adopted,) = bench.store.adopt("iris", 5)
    assert claimed_of(adopted.value).work.submission_id == back.submission_id
    bench.store.renew({kept.lease_token})
    with pytest.raises(LeaseLost):
        bench.score(Claimed(back, bench.clock()), acc=0.1)


def test_a_lease_that_is_lost_cannot_be_handed_back(bench: Bench) -> None:
    bench.submit("one")
    old = bench.claim().work.lease_token
    bench.store.hand_back({old})
    bench.store.adopt("iris", 1)
    bench.store.hand_back({old})
    assert bench.store.adopt("iris", 1) == []


def test_nobody_adopts_what_they_are_still_at(bench: Bench) -> None:
    bench.submit("one")
    token = bench.claim().work.lease_token
    bench.store.hand_back({token})  # as when the lease ran out while the database was away
    assert bench.store.adopt("iris", 5, {token}) == []
    assert len(bench.store.adopt("iris", 5)) == 1


def test_the_runs_of_a_dead_owner_are_adopted_at_once_and_those_of_a_living_one_are_not(sql: Bench) -> None:
    dead: set[str] = set()
    url = sql.event.database_url.get_secret_value()
    other = SqlStore(url, sql.event, sql.clock, owner="other", is_dead=dead.__contains__)
    sql.submit("one")
    sql.claim()
    assert other.adopt("iris", 5) == []
    dead.add("bench")
    assert len(other.adopt("iris", 5)) == 1
    assert other.adopt("iris", 5) == []
    other.close()
