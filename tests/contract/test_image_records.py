"""What is known of an event's images stays known, whichever database keeps it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert

from contracts.image import ImageCheck, ImageRecord, ImageStatus, Provenance
from contracts.instance import Launch, LaunchRequest
from runner.progress import Stage
from runner.store import Database, ImageRecords, Wishes, upgrade
from runner.store.own_tables import event_states
from tests.contract.store_fixtures import Bench, launched

MADE_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
BARE = ImageRecord("ami-1", "iris-backend 1", MADE_AT, ImageStatus.TESTED)
FULL = replace(
    BARE,
    status=ImageStatus.VERIFIED,
    provenance=Provenance("1.0.7", {"base": "1.0.1"}, "abc", "def", "ami-0"),
    build_s=600.0,
    boot_s=21.5,
    checks=(ImageCheck("files", True, "all there"), ImageCheck("gpu", False)),
    verified_at=MADE_AT + timedelta(hours=1),
)


@pytest.fixture
def records(sql: Bench) -> ImageRecords:
    return ImageRecords(database_of(sql))


def database_of(sql: Bench) -> Database:
    assert sql.database is not None
    return sql.database


def test_a_record_is_given_back_as_it_was_put(records: ImageRecords) -> None:
    records.put("iris", FULL)
    assert records.get("iris", "ami-1") == FULL
    assert records.get("iris", "ami-2") is None
    assert records.get("wine", "ami-1") is None


def test_all_images_of_an_event_are_listed_the_newest_first(records: ImageRecords) -> None:
    newer = replace(BARE, image_id="ami-2", created_at=MADE_AT + timedelta(days=1))
    for event, record in (("iris", BARE), ("iris", newer), ("wine", BARE)):
        records.put(event, record)
    assert records.all("iris") == (newer, BARE)


def test_what_a_later_record_does_not_know_is_not_forgotten(records: ImageRecords) -> None:
    records.put("iris", FULL)
    records.put("iris", replace(BARE, status=ImageStatus.UNTESTED))
    records.put("iris", replace(BARE, provenance=Provenance(kit="new"), build_s=500.0))
    known = replace(FULL, provenance=replace(FULL.provenance, kit="new"), build_s=500.0)
    assert records.get("iris", "ami-1") == known


def test_only_another_look_at_a_host_takes_a_verdict_back(records: ImageRecords) -> None:
    records.put("iris", FULL)
    records.put("iris", replace(BARE, status=ImageStatus.REJECTED, verified_at=MADE_AT))
    records.put("iris", BARE)
    found = records.get("iris", "ami-1")
    assert found is not None
    assert found.status is ImageStatus.REJECTED


def test_the_last_build_that_was_measured_tells_the_next_ones_time(records: ImageRecords) -> None:
    assert records.last_build_s("iris") is None
    records.put("iris", FULL)
    records.put("iris", replace(BARE, image_id="ami-2", created_at=MADE_AT + timedelta(days=1)))
    assert records.last_build_s("iris") == 600.0


def test_an_event_is_pinned_to_an_image_until_it_is_let_go(records: ImageRecords) -> None:
    assert records.pinned("iris") == ""
    records.pin("iris", "ami-1")
    records.pin("wine", "ami-1")
    assert records.pinned("iris") == "ami-1"
    assert records.use().pinned_by == {"ami-1": ("iris", "wine")}
    records.pin("iris", None)
    assert records.pinned("iris") == ""
    assert records.use().pinned_by == {"ami-1": ("wine",)}


def test_a_pause_and_its_end_leave_an_event_held(sql: Bench, records: ImageRecords) -> None:
    paused = {"event": "iris", "organiser_errors": 3, "paused_at": MADE_AT.replace(tzinfo=None), "pause_reason": "why"}
    with database_of(sql).writing() as connection:
        connection.execute(insert(event_states).values(paused))
    records.pin("iris", "ami-1")
    assert sql.store.paused("iris") == "why"
    Wishes(database_of(sql), sql.clock).resume("iris")
    assert records.pinned("iris") == "ami-1"


def test_an_image_is_needed_from_the_launch_that_was_asked_for_until_its_run_has_ended(
    sql: Bench, records: ImageRecords
) -> None:
    sql.submit("one")
    claimed = sql.claim()
    assert records.use().under_way == {}
    request = LaunchRequest("ami-1", "token", {})
    sql.store.intend([claimed.work], Launch(request, "key", (claimed.work.submission_id,), sql.clock()))
    assert records.use().under_way == {"ami-1": 1}
    provisioned = launched(claimed).pushed.provisioned
    sql.store.stage_started(claimed.work, Stage.PUSH, "i-1", after=replace(provisioned, image_id="ami-2"))
    assert records.use().under_way == {"ami-2": 1}
    sql.store.training_started(launched(claimed))
    sql.score(claimed, acc=0.5)
    assert records.use().under_way == {}
    assert records.scores("iris") == {"ami-1": 1}
    assert records.scores("wine") == {}


def test_an_older_database_gets_the_table_and_its_events_are_held_nowhere(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('old')}/old.db")
    upgrade(database, "0004")
    with database.writing() as connection:
        connection.exec_driver_sql("INSERT INTO rampart_events (event, organiser_errors) VALUES ('iris', 2)")
    upgrade(database)
    records = ImageRecords(database)
    assert (records.pinned("iris"), records.all("iris")) == ("", ())
    records.pin("iris", "ami-1")
    assert records.pinned("iris") == "ami-1"
    database.close()
