"""What every store promises, whichever database keeps it."""

from __future__ import annotations

import json
import pickle
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy
from sqlalchemy import select

from contracts.errors import KitInvalid, LeaseLost, RunOver, StoreUnavailable, SubmissionInvalid, UnknownName
from contracts.instance import LAUNCH_TAG, Launch, LaunchRequest, Pool
from contracts.work import (
    Adopted,
    Blame,
    Cause,
    Claimed,
    Containment,
    Finished,
    Spread,
    Work,
    claimed_of,
    provisioned_of,
)
from runner.kit import KitDescription, ScoreType
from runner.ports import Store
from runner.progress import Stage
from runner.store import Catalogue, Database, SqlStore, own_tables, tables, upgrade
from tests.contract import store_fixtures
from tests.contract.store_fixtures import KIT, Bench, Clock, failed, launched, scored


def column(bench: Bench, table: sqlalchemy.Table, name: str) -> list[Any]:
    assert bench.database is not None
    with bench.database.reading() as connection:
        return list(connection.scalars(select(table.c[name]).order_by(table.c.id)))


# The queue


def test_the_oldest_submissions_are_claimed_first(bench: Bench) -> None:
    first, second, third = (bench.submit(name) for name in ("one", "two", "three"))
    assert [one.work.submission_id for one in bench.store.claim("iris", 2)] == [first, second]
    assert [one.work.submission_id for one in bench.store.claim("iris", 5)] == [third]
    assert bench.store.claim("iris", 5) == []


def test_a_claimed_submission_is_sent_to_training_with_its_limits(bench: Bench) -> None:
    submission_id = bench.submit("one")
    work = bench.claim().work
    assert bench.row(submission_id).state == "sent_to_training"
    assert (work.team, work.submission, work.generation, work.attempt) == ("red", "one", 1, 1)
    assert (work.timeout_s, work.memory_limit_bytes) == (60, 500 * 2**20)
    assert (work.folds, work.score_types) == (2, ("acc", "nll"))
    assert work.submission_dir == bench.event.ramp.submissions_dir / f"submission_{submission_id:09d}"
    assert (work.submission_dir / "estimator.py").is_file()


def test_nothing_is_claimed_where_no_place_is_free(bench: Bench) -> None:
    bench.submit("one")
    assert bench.store.claim("iris", 0) == []


def test_one_submission_can_be_claimed_before_its_turn(bench: Bench) -> None:
    first, second = bench.submit("one"), bench.submit("two")
    claimed = bench.store.claim_one("iris", "red", "two")
    assert claimed is not None
    assert claimed.work.submission_id == second
    assert bench.store.claim_one("iris", "red", "two") is None
    assert bench.store.claim_one("iris", "blue", "one") is None
    assert bench.claim().work.submission_id == first


def test_every_store_is_what_the_dispatcher_asks_for(bench: Bench) -> None:
    store: Store = bench.store
    assert store.claim("iris", 1) == []


def test_an_unknown_event_is_named(bench: Bench) -> None:
    with pytest.raises(UnknownName, match="mars"):
        bench.store.claim("mars", 1)
    with pytest.raises(UnknownName, match="mars"):
        bench.books.submissions("mars")


def test_many_who_claim_at_once_never_get_the_same_submission(bench: Bench) -> None:
    expected = [bench.submit(f"s{number}") for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda _: bench.store.claim("iris", 2), range(12)))
    assert sorted(one.work.submission_id for batch in batches for one in batch) == expected


def test_a_requeued_submission_is_new_and_keeps_its_place(bench: Bench) -> None:
    first, second = bench.submit("one"), bench.submit("two")
    bench.store.requeue(bench.claim(), "stopped")
    assert (bench.row(first).state, bench.row(first).queue_position) == ("new", 1)
    assert (bench.row(second).state, bench.row(second).queue_position) == ("new", 2)
    again = bench.claim().work
    assert (again.submission_id, again.generation, again.attempt) == (first, 1, 2)


# Runs


def test_a_run_shows_its_stage_its_host_and_how_long_each_step_took(bench: Bench) -> None:
    submission_id = bench.submit("one")
    claimed = bench.claim()
    bench.store.stage_started(claimed.work, Stage.PROVISION)
    bench.store.stage_started(claimed.work, Stage.PUSH, "i-1")
    row = bench.row(submission_id)
    assert (row.stage, row.host_id, row.attempt) == ("push", "i-1", 1)
    assert row.steps.keys() == {"claimed", "provision"}
    assert all(seconds > 0 for seconds in row.steps.values())
    assert row.since is not None
    assert row.started_at is not None
    assert row.since > row.started_at


def test_a_started_job_is_in_training(bench: Bench) -> None:
    submission_id = bench.submit("one")
    bench.store.training_started(launched(bench.claim()))
    assert bench.row(submission_id).state == "training"
    assert (bench.row(submission_id).host_id, bench.row(submission_id).image_id) == ("i-1", "ami-1")


def test_scores_are_on_the_leaderboard(bench: Bench) -> None:
    submission_id = bench.submit("one")
    bench.score(bench.claim(), acc=0.75)
    (row,) = bench.books.leaderboard("iris").rows
    assert (row.team, row.submission, row.submission_id) == ("red", "one", submission_id)
    assert (row.valid, row.test) == ({"acc": 0.75, "nll": 0.5}, {"acc": 0.25, "nll": 0.4})
    assert (row.train_time_s, row.valid_time_s, row.test_time_s) == (2.0, 0.1, 0.2)
    assert row.image_id == "ami-1"
    shown = bench.row(submission_id)
    assert (shown.state, shown.stage, shown.peak_memory_bytes) == ("scored", "scored", 64 * 2**20)
    assert (shown.cpu_time_s, shown.containment) == (8.0, Containment.NAMESPACES)
    assert shown.ended_at is not None


def test_the_leaderboard_ranks_by_the_official_score_of_the_asked_step(bench: Bench) -> None:
    for name, acc in (("low", 0.3), ("high", 0.9), ("middle", 0.6), ("also_middle", 0.6)):
        bench.submit(name)
        bench.score(bench.claim(), acc=acc)
    board = bench.books.leaderboard("iris")
    assert [one.name for one in board.score_types] == ["acc", "nll"]
    assert [row.submission for row in board.rows] == ["high", "middle", "also_middle", "low"]
    assert bench.books.leaderboard("iris", step="test").rows[0].submission == "low"


def test_a_participants_failure_is_a_training_error_with_its_traceback(bench: Bench) -> None:
    bench.submit("one")
    bench.store.record_failed(failed(bench.claim()))
    (failure,) = bench.books.failures("iris")
    assert (failure.state, failure.blame, failure.cause) == ("training_error", Blame.PARTICIPANT, Cause.RAISED)
    assert failure.error == "Traceback (most recent call last):\nValueError: no"
    assert (failure.reason, failure.exit_code) == ("the submission raised ValueError: no", 1)
    assert bench.books.leaderboard("iris").rows == ()


@pytest.mark.parametrize("blame", [Blame.ORGANISER, Blame.PLATFORM])
def test_what_is_not_the_participants_fault_is_a_checking_error(bench: Bench, blame: Blame) -> None:
    bench.submit("one")
    bench.store.record_failed(failed(bench.claim(), blame))
    (failure,) = bench.books.failures("iris")
    assert (failure.state, failure.blame) == ("checking_error", blame)


def test_a_run_is_recorded_once(bench: Bench) -> None:
    submission_id = bench.submit("one")
    claimed = bench.claim()
    bench.score(claimed, acc=0.5)
    writes: tuple[Callable[[], None], ...] = (
        lambda: bench.score(claimed, acc=0.9),
        lambda: bench.store.record_failed(failed(claimed)),
        lambda: bench.store.requeue(claimed, "late"),
        lambda: bench.store.training_started(launched(claimed)),
    )
    for write in writes:
        with pytest.raises(LeaseLost):
            write()
    bench.store.stage_started(claimed.work, Stage.RELEASE)
    assert bench.row(submission_id).stage == "scored"
    assert bench.books.leaderboard("iris").rows[0].valid["acc"] == 0.5


def test_a_late_result_of_an_older_attempt_changes_nothing(bench: Bench) -> None:
    submission_id = bench.submit("one")
    old = bench.claim()
    bench.store.requeue(old, "its host was lost")
    bench.claim()
    with pytest.raises(LeaseLost):
        bench.score(old, acc=0.9)
    assert bench.row(submission_id).state == "sent_to_training"


# Leases


def let_leases_expire(bench: Bench) -> None:
    """Let every lease run out, as when its dispatcher died a while ago."""
    if bench.database is None:
        bench.clock.now += timedelta(hours=1)
        return
    with bench.database.writing() as connection:
        held = own_tables.runs.c.lease_expires_at.is_not(None)
        long_ago = datetime(2001, 1, 1)
        connection.execute(sqlalchemy.update(own_tables.runs).where(held).values(lease_expires_at=long_ago))


def adopt(bench: Bench) -> Adopted:
    let_leases_expire(bench)
    (adopted,) = bench.store.adopt("iris", 5)
    return adopted


def test_a_run_is_adopted_only_when_its_lease_ran_out_and_then_once(bench: Bench) -> None:
    submission_id = bench.submit("one")
    claimed = bench.claim()
    assert bench.store.adopt("iris", 5) == []
    assert not bench.row(submission_id).orphaned
    let_leases_expire(bench)
    assert bench.row(submission_id).orphaned
    assert bench.store.adopt("iris", 0) == []
    (adopted,) = bench.store.adopt("iris", 5)
    work = claimed_of(adopted.value).work
    assert work.lease_token != claimed.work.lease_token
    assert replace(work, lease_token=claimed.work.lease_token) == claimed.work
    assert claimed_of(adopted.value).claimed_at == claimed.claimed_at
    assert bench.store.adopt("iris", 5) == []
    assert not bench.row(submission_id).orphaned


def test_a_renewed_lease_lives_on_and_a_lost_one_is_not_revived(bench: Bench) -> None:
    bench.submit("one")
    old = bench.claim().work.lease_token
    let_leases_expire(bench)
    bench.store.renew({old})
    assert bench.store.adopt("iris", 5) == []
    adopt(bench)
    let_leases_expire(bench)
    bench.store.renew({old})
    assert len(bench.store.adopt("iris", 5)) == 1


def test_an_adopted_run_goes_on_from_the_last_value_its_dispatcher_left(bench: Bench) -> None:
    bench.submit("one")
    result = scored(bench.claim(), acc=0.5)
    finished = result.pulled.finished
    work = finished.launched.pushed.provisioned.claimed.work
    bench.store.stage_started(work, Stage.PUSH, "i-1", after=finished.launched.pushed.provisioned)
    bench.store.training_started(finished.launched)
    bench.store.stage_started(work, Stage.WAIT, "i-1")
    bench.store.stage_started(work, Stage.PULL, "i-1", after=finished)
    adopted = adopt(bench)
    assert isinstance(adopted.value, Finished)
    assert not adopted.has_ended
    own = claimed_of(adopted.value)
    expected = scored(own, acc=0.5)
    assert adopted.value == expected.pulled.finished
    bench.store.record_scored(expected)
    assert bench.row(own.work.submission_id).state == "scored"


def test_an_adopted_run_goes_on_with_the_jobs_that_share_its_folds(bench: Bench) -> None:
    bench.submit("one")
    run = launched(bench.claim())
    provisioned = run.pushed.provisioned
    work = provisioned.claimed.work
    helper = replace(provisioned, claimed=replace(provisioned.claimed, work=replace(work, share=(1,))))
    bench.store.training_started(Spread(provisioned, (0,), (helper,), run.launched_at))
    assert bench.row(work.submission_id).state == "training"
    bench.store.stage_started(work, Stage.WAIT, "i-1", after=Spread(provisioned, (0,), (), run.launched_at))
    found = adopt(bench).value
    assert isinstance(found, Spread)
    assert (found.own, found.helpers, found.provisioned.host) == ((0,), (), provisioned.host)


def test_what_is_written_under_a_lost_lease_is_dropped(bench: Bench) -> None:
    submission_id = bench.submit("one")
    old = bench.claim()
    new = claimed_of(adopt(bench).value)
    writes: tuple[Callable[[], None], ...] = (
        lambda: bench.store.stage_started(old.work, Stage.PUSH, "i-0"),
        lambda: bench.store.training_started(launched(old)),
        lambda: bench.score(old, acc=0.9),
        lambda: bench.store.record_failed(failed(old)),
        lambda: bench.store.requeue(old, "late"),
    )
    for write in writes:
        with pytest.raises(LeaseLost) as caught:
            write()
        assert not isinstance(caught.value, RunOver)
    row = bench.row(submission_id)
    assert (row.state, row.stage, row.host_id) == ("sent_to_training", "claimed", "")
    bench.score(new, acc=0.5)
    assert bench.books.leaderboard("iris").rows[0].valid["acc"] == 0.5


def test_a_run_that_ended_is_adopted_until_its_host_was_given_back(bench: Bench) -> None:
    bench.submit("one")
    claimed = bench.claim()
    provisioned = launched(claimed).pushed.provisioned
    bench.store.stage_started(claimed.work, Stage.PUSH, "i-1", after=provisioned)
    bench.store.record_failed(failed(claimed))
    adopted = adopt(bench)
    assert adopted.has_ended
    found = provisioned_of(adopted.value)
    assert found is not None
    assert found.host == provisioned.host
    bench.store.released(claimed.work)  # its lease is lost: it has no say any more
    assert bench.store.held_elsewhere("iris", ())
    bench.store.released(claimed_of(adopted.value).work)
    assert not bench.store.held_elsewhere("iris", ())
    let_leases_expire(bench)
    assert bench.store.adopt("iris", 5) == []


def test_only_the_leases_of_others_are_held_elsewhere(bench: Bench) -> None:
    bench.submit("one")
    assert not bench.store.held_elsewhere("iris", ())
    token = bench.claim().work.lease_token
    assert bench.store.held_elsewhere("iris", ())
    assert not bench.store.held_elsewhere("iris", {token})


def test_the_runs_that_were_lost_are_counted_by_cause_within_a_generation(bench: Bench) -> None:
    bench.submit("one")
    bench.store.requeue(bench.claim(), "stopped")
    bench.store.requeue(bench.claim(), "its host ended", Cause.HOST_LOST)
    for _ in range(2):
        bench.store.requeue(bench.claim(), "taken back", Cause.SPOT_RECLAIMED)
    last = bench.claim()
    assert bench.store.losses(last.work) == {Cause.HOST_LOST: 1, Cause.SPOT_RECLAIMED: 2}
    assert bench.store.losses(replace(last.work, generation=2)) == {}


def test_a_late_result_of_a_lost_run_is_superseded_by_the_one_that_counts(bench: Bench) -> None:
    submission_id = bench.submit("one")
    old = bench.claim()
    bench.store.requeue(old, "its host was lost", Cause.HOST_LOST)
    new = bench.claim()
    bench.score(new, acc=0.5)
    with pytest.raises(RunOver):
        bench.score(old, acc=0.9)
    assert bench.books.leaderboard("iris").rows[0].valid["acc"] == 0.5
    assert bench.row(submission_id).attempt == 2


def launch_of(*works: Work, token: str) -> Launch:
    request = LaunchRequest("ami-1", token, {LAUNCH_TAG: token}, (Pool("t3.medium", "subnet-a"),), len(works), "secret")
    ids = tuple(work.submission_id for work in works)
    return Launch(request, "ssh-ed25519 A", ids, datetime(2026, 11, 20, 12, 0, 3, tzinfo=UTC))


def test_a_launch_is_kept_word_for_word_until_it_is_answered(bench: Bench) -> None:
    bench.submit("one")
    old = bench.claim().work
    assert bench.store.kept(old) is None
    launch = launch_of(old, token="first")
    bench.store.intend([old], launch)
    assert bench.store.kept(old) == launch
    work = claimed_of(adopt(bench).value).work
    with pytest.raises(LeaseLost):
        bench.store.intend([old], launch_of(old, token="another"))
    with pytest.raises(LeaseLost):
        bench.store.kept(old)
    assert bench.store.kept(work) == launch
    assert bench.store.answered("first", {work.submission_id: "i-1"}) == {work.submission_id: "i-1"}
    assert bench.store.kept(work) == replace(launch, request=replace(launch.request, user_data=""), instance_id="i-1")


def test_the_key_an_instance_made_for_itself_is_kept_with_its_run_alone(bench: Bench) -> None:
    ids = [bench.submit(name) for name in ("one", "two")]
    first, second = [bench.claim().work for _ in ids]
    bench.store.intend([first, second], launch_of(first, second, token="all"))
    bench.store.answered("all", {ids[0]: "i-1", ids[1]: "i-2"})
    bench.store.note_own_key(first, "i-1", "ssh-ed25519 OWN")
    bench.store.note_own_key(first, "i-1", "ssh-ed25519 NEWER")
    kept = [bench.store.kept(work) for work in (first, second)]
    assert [(one.own_key, one.host_key) for one in kept if one] == [
        ("ssh-ed25519 NEWER", "ssh-ed25519 A"),
        ("", "ssh-ed25519 A"),
    ]
    let_leases_expire(bench)
    adopted = next(
        work for one in bench.store.adopt("iris", 5) if (work := claimed_of(one.value).work).submission_id == ids[0]
    )
    with pytest.raises(LeaseLost):
        bench.store.note_own_key(first, "i-1", "ssh-ed25519 LATE")
    launch = bench.store.kept(adopted)
    assert launch is not None
    assert launch.own_key == "ssh-ed25519 NEWER"


def test_an_instance_is_known_by_its_own_key_else_by_its_launchs(sql: Bench) -> None:
    ids = [sql.submit(name) for name in ("one", "two")]
    first, second = [sql.claim().work for _ in ids]
    sql.store.intend([first, second], launch_of(first, second, token="all"))
    sql.store.answered("all", {ids[0]: "i-1", ids[1]: "i-2"})
    sql.store.note_own_key(first, "i-1", "ssh-ed25519 OWN")
    assert isinstance(sql.books, Catalogue)
    assert [sql.books.host_key(one) for one in ("i-1", "i-2", "i-3")] == ["ssh-ed25519 OWN", "ssh-ed25519 A", ""]


def test_user_data_is_forgotten_with_the_answer_and_with_the_last_run_of_a_launch_that_never_was_answered(
    sql: Bench,
) -> None:
    ids = [sql.submit(name) for name in ("one", "two", "three")]
    claims = [sql.claim() for _ in ids]
    works = [claimed.work for claimed in claims]
    sql.store.intend(works[:1], launch_of(works[0], token="answered"))
    sql.store.intend(works[1:], launch_of(*works[1:], token="unheard of"))

    def kept() -> list[str]:
        return [parameters["user_data"] for parameters in column(sql, own_tables.launches, "parameters")]

    assert kept() == ["secret", "secret"]
    sql.store.answered("answered", {ids[0]: "i-1"})
    assert kept() == ["", "secret"]
    for claimed, expected in ((claims[1], "secret"), (claims[2], "")):
        sql.store.requeue(claimed, "EC2 did not answer")
        sql.store.released(claimed.work)
        assert kept() == ["", expected]


def test_a_launch_that_was_refused_makes_room_for_another_of_the_same_run(bench: Bench) -> None:
    bench.submit("one")
    work = bench.claim().work
    bench.store.intend([work], launch_of(work, token="here"))
    assert bench.store.answered("here", {}) == {}
    assert bench.store.kept(work) is None
    there = launch_of(work, token="there")
    bench.store.intend([work], there)
    assert bench.store.kept(work) == there


def test_of_a_launch_for_several_runs_each_has_its_own_instance_and_the_first_answer_counts(bench: Bench) -> None:
    ids = [bench.submit(name) for name in ("one", "two", "three")]
    works = [bench.claim().work for _ in ids]
    bench.store.intend(works, launch_of(*works, token="all"))
    given = {ids[0]: "i-1", ids[1]: "i-2"}
    assert bench.store.answered("all", given) == given
    assert bench.store.answered("all", {ids[2]: "i-9"}) == given
    kept = [bench.store.kept(work) for work in works]
    assert [one.instance_id if one else None for one in kept] == ["i-1", "i-2", None]
    assert kept[0] is not None
    assert kept[0].submission_ids == tuple(ids)


def test_a_run_that_has_ended_holds_no_instance_of_its_launch(bench: Bench) -> None:
    ids = [bench.submit(name) for name in ("one", "two")]
    claims = [bench.claim() for _ in ids]
    bench.store.intend([one.work for one in claims], launch_of(*[one.work for one in claims], token="all"))
    bench.store.requeue(claims[0], "cancelled")
    assert bench.store.answered("all", {ids[0]: "i-1", ids[1]: "i-2"}) == {ids[1]: "i-2"}
    with pytest.raises(RunOver):
        bench.store.kept(claims[0].work)


def test_a_launch_for_a_run_of_somebody_elses_is_not_kept_at_all(bench: Bench) -> None:
    bench.submit("one")
    lost = bench.claim().work
    adopt(bench)
    bench.submit("two")
    work = bench.claim().work
    with pytest.raises(LeaseLost):
        bench.store.intend([work, lost], launch_of(work, lost, token="all"))
    assert bench.store.kept(work) is None


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=store_fixtures.NEEDS_POSTGRESQL)])
def test_launches_of_an_older_version_keep_their_run_and_instance(
    kind: str, postgresql: Callable[[], sqlalchemy.URL], tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    if kind == "postgresql":
        url = store_fixtures.new_postgresql_database(postgresql(), "older")
    database = Database(url)
    upgrade(database, "0003")
    run = (
        "INSERT INTO rampart_runs (id, submission_id, generation, attempt, worker_type, stage, stage_since, steps_s, "
        "host_id, image_id, started_at, message) "
        "VALUES (5, 7, 1, 1, 'aws', 'provision', '2026-11-20', '{}', '', '', '2026-11-20', '')"
    )
    launch = (
        "INSERT INTO rampart_launches (client_token, run_id, parameters, host_key, instance_id, intended_at) "
        "VALUES ('token', 5, '{}', 'key', 'i-1', '2026-11-20')"
    )
    with database.writing() as connection:
        connection.exec_driver_sql(run)
        connection.exec_driver_sql(launch)
    upgrade(database)
    with database.reading() as connection:
        (row,) = connection.execute(select(own_tables.launch_runs)).all()
        (kept,) = connection.execute(select(own_tables.launches)).all()
    assert (row.launch_id, row.run_id, row.instance_id) == (kept.id, 5, "i-1")
    database.close()


# Events, teams, submissions


def test_the_catalogue_knows_the_events_it_was_told_of(bench: Bench) -> None:
    assert bench.books.has_event("iris")
    assert not bench.books.has_event("titanic")


def test_adding_an_event_or_a_team_again_changes_nothing(bench: Bench) -> None:
    bench.books.add_event(bench.event, KIT)
    bench.submit("one")
    bench.books.add_team("iris", "red")
    assert [row.team for row in bench.books.submissions("iris")] == ["red"]


def test_an_event_whose_kit_scores_otherwise_by_now_is_refused(bench: Bench) -> None:
    changed = KitDescription("Iris", (ScoreType("luck", False),), folds=2)
    with pytest.raises(KitInvalid, match="folds"):
        bench.books.add_event(bench.event, changed)


def test_a_name_that_could_not_be_a_folders_is_refused(bench: Bench) -> None:
    bench.books.add_team("iris", "red")
    with pytest.raises(SubmissionInvalid, match="cannot be the name of a submission"):
        bench.books.add_submission(bench.event, "red", "../../etc", bench.code)
    with pytest.raises(SubmissionInvalid, match="cannot be the name of a team"):
        bench.books.add_team("iris", "blue team")


def test_the_sandbox_is_refused_since_it_is_never_run(bench: Bench) -> None:
    with pytest.raises(SubmissionInvalid, match="sandbox"):
        bench.submit("starting_kit")


def test_a_submission_of_a_taken_name_or_an_unknown_team_is_refused(bench: Bench) -> None:
    bench.submit("one")
    with pytest.raises(SubmissionInvalid, match="already"):
        bench.submit("one")
    with pytest.raises(UnknownName, match="nobody"):
        bench.books.add_submission(bench.event, "nobody", "two", bench.code)
    assert [path.name for path in bench.event.ramp.submissions_dir.iterdir()] == ["submission_000000001"]


# What RAMP reads


def test_the_sandbox_of_a_team_is_never_claimed(sql: Bench) -> None:
    submission_id = sql.submit("one")
    assert sql.database is not None
    with sql.database.writing() as connection:
        connection.execute(sqlalchemy.update(tables.events).values(ramp_sandbox_name="one"))
    assert sql.store.claim("iris", 5) == []
    assert submission_id not in [row.submission_id for row in sql.books.submissions("iris")]


def test_states_times_and_queue_positions_are_in_ramps_columns(sql: Bench) -> None:
    sql.submit("one")
    sql.submit("two")
    first, second = sql.store.claim("iris", 2)
    assert column(sql, tables.submissions, "queue_position") == [1, 2]
    assert set(column(sql, tables.submission_on_cv_folds, "state")) == {"sent_to_training"}
    sql.store.training_started(launched(first))
    assert column(sql, tables.submissions, "queue_position") == [-1, 2]
    assert column(sql, tables.submissions, "state") == ["training", "sent_to_training"]
    assert column(sql, tables.submission_on_cv_folds, "state") == ["training"] * 2 + ["sent_to_training"] * 2
    (sent, _), (started, never) = (
        column(sql, tables.submissions, f"{name}_timestamp") for name in ("sent_to_training", "training")
    )
    assert sent == first.claimed_at.replace(tzinfo=None)
    assert (started - sent).total_seconds() == 60
    assert never is None
    sql.store.requeue(second, "stopped")
    assert column(sql, tables.submissions, "sent_to_training_timestamp")[1] is None


def test_scores_are_in_ramps_columns(sql: Bench) -> None:
    sql.submit("one")
    sql.store.record_scored(scored(sql.claim(), acc=0.75))
    folds, cells = tables.submission_on_cv_folds, tables.submission_score_on_cv_folds
    assert column(sql, folds, "train_time") == [1.0, 3.0]
    assert column(sql, folds, "state") == ["scored", "scored"]
    assert column(sql, cells, "valid_score") == [0.75, 0.5, 0.76, 0.5]
    assert column(sql, tables.submission_scores, "valid_score_cv_bag") == [0.75, 0.5]
    assert column(sql, tables.submission_scores, "test_score_cv_bag") == [0.25, 0.4]
    assert column(sql, tables.submissions, "train_time_cv_mean") == [2.0]
    assert column(sql, tables.submissions, "train_time_cv_std") == [1.0]
    assert column(sql, tables.submissions, "max_ram") == [64.0]
    assert column(sql, tables.submissions, "error_msg") == [""]


def test_bagged_scores_are_arrays_of_ramps_numpy_type_before_and_after(sql: Bench) -> None:
    sql.submit("one")
    empty = column(sql, tables.submission_scores, "valid_score_cv_bags")
    sql.store.record_scored(scored(sql.claim(), acc=0.75))
    full = column(sql, tables.submission_scores, "test_score_cv_bags")
    assert [load(one).tolist() for one in (*empty, *full)] == [[], [], [0.2, 0.25], [0.7, 0.4]]


def load(data: bytes) -> np.ndarray[Any, Any]:
    """Read a column as RAMP does."""
    array = pickle.loads(zlib.decompress(data))  # noqa: S301 - our own bytes
    assert isinstance(array, np.ndarray)
    return array


def test_a_failure_leaves_the_folds_messages_and_scores_untouched(sql: Bench) -> None:
    sql.submit("one")
    sql.store.record_failed(failed(sql.claim()))
    assert column(sql, tables.submission_on_cv_folds, "state") == ["training_error", "training_error"]
    assert column(sql, tables.submission_on_cv_folds, "error_msg") == ["", ""]
    assert column(sql, tables.submission_score_on_cv_folds, "valid_score") == [None] * 4


def test_a_scored_submission_made_new_again_begins_a_generation(sql: Bench) -> None:
    submission_id = sql.submit("one")
    sql.score(sql.claim(), acc=0.5)
    assert sql.database is not None
    with sql.database.writing() as connection:
        connection.execute(sqlalchemy.update(tables.submissions).values(state="new"))
    again = sql.claim()
    assert (again.work.submission_id, again.work.generation, again.work.attempt) == (submission_id, 2, 2)
    sql.score(again, acc=0.6)
    assert sql.books.leaderboard("iris").rows[0].valid["acc"] == 0.6


def test_a_run_that_goes_on_under_a_newer_one_never_overwrites_it(sql: Bench) -> None:
    sql.submit("one")
    old = sql.claim()
    assert sql.database is not None
    with sql.database.writing() as connection:  # as RAMP's frontend does
        connection.execute(sqlalchemy.update(tables.submissions).values(state="new"))
    new = sql.claim()
    with pytest.raises(RunOver):
        sql.score(old, acc=0.9)
    assert column(sql, tables.submissions, "state") == ["sent_to_training"]
    sql.score(new, acc=0.5)
    assert column(sql, own_tables.runs, "stage") == ["superseded", "scored"]


def test_every_change_of_stage_is_kept_and_so_is_a_superseded_result(sql: Bench) -> None:
    sql.submit("one")
    old = sql.claim()
    sql.store.stage_started(old.work, Stage.PROVISION)
    sql.store.requeue(old, "its host was lost", Cause.HOST_LOST)
    with pytest.raises(RunOver):
        sql.score(old, acc=0.9)
    steps = column(sql, own_tables.transitions, "to_stage")
    assert steps == ["claimed", "provision", "requeued", "superseded"]
    assert column(sql, own_tables.transitions, "from_stage") == ["new", *steps[:-1]]
    *_, reason, kept = column(sql, own_tables.transitions, "detail")
    assert reason == "its host was lost"
    assert json.loads(kept)[1]["scores"]["valid"]["acc"] == [0.1, 0.9]


def test_a_run_whose_journal_nobody_can_read_begins_with_its_claim(sql: Bench) -> None:
    sql.submit("one")
    claimed = sql.claim()
    sql.store.training_started(launched(claimed))
    assert sql.database is not None
    with sql.database.writing() as connection:
        connection.execute(sqlalchemy.update(own_tables.runs).values(journal={"kind": "Teleported", "value": {}}))
    adopted = adopt(sql)
    assert isinstance(adopted.value, Claimed)
    assert adopted.value.claimed_at == claimed.claimed_at


def test_orphans_are_shared_out_among_those_who_adopt_at_once(sql: Bench) -> None:
    for number in range(8):
        sql.submit(f"s{number}")
    sql.store.claim("iris", 8)
    let_leases_expire(sql)
    with ThreadPoolExecutor(4) as pool:
        batches = list(pool.map(lambda _: sql.store.adopt("iris", 2), range(8)))
    found = sorted(claimed_of(one.value).work.submission_id for batch in batches for one in batch)
    assert found == list(range(1, 9))


def test_upgrading_again_changes_nothing(sql: Bench) -> None:
    sql.submit("one")
    assert sql.database is not None
    upgrade(sql.database)
    assert len(sql.books.submissions("iris")) == 1


def test_several_that_upgrade_at_once_all_succeed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/database/event.db"

    def start(_: int) -> int:
        database = Database(url)
        upgrade(database)
        with database.reading() as connection:
            count = len(connection.execute(select(tables.submissions)).all())
        database.close()
        return count

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(start, range(4))) == [0] * 4


@store_fixtures.NEEDS_POSTGRESQL
def test_ramps_tables_are_never_made_on_postgresql(tmp_path: Path, postgresql: Callable[[], sqlalchemy.URL]) -> None:
    url = store_fixtures.new_postgresql_database(postgresql(), "empty")
    store = SqlStore(url, store_fixtures.event_in(tmp_path, url), Clock())
    upgrade(store.database)
    with pytest.raises(StoreUnavailable, match="ramp-database makes them"):
        Catalogue(store.database, Clock()).submissions("iris")
    with pytest.raises(StoreUnavailable, match="ramp-database makes them"):
        store.claim("iris", 1)
    store.close()
