"""A database is opened by the driver that is installed, and says in one line what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import AskedWrongly, StoreRefuses, StoreUnavailable
from runner.store import Database


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg2", "postgresql+psycopg"])
def test_ramps_names_of_postgresql_mean_the_driver_that_is_installed(scheme: str) -> None:
    database = Database(f"{scheme}://me:secret@db.example/challenge")
    assert database.url.drivername == "postgresql+psycopg"
    assert str(database) == "postgresql+psycopg://me:***@db.example/challenge"


def test_a_database_that_does_not_answer_is_told_in_one_line_without_its_password(tmp_path: Path) -> None:
    database = Database(f"postgresql://me:secret@/challenge?host={tmp_path}")
    with pytest.raises(StoreUnavailable) as caught, database.reading():
        pass
    assert "***" in caught.value.message
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "is the server up" in caught.value.hint


def test_a_sqlite_file_in_a_missing_folder_is_told(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/missing/event.db")
    with pytest.raises(StoreUnavailable, match="unable to open database file"), database.reading():
        pass


@pytest.mark.parametrize("url", ["no url", "mars://somewhere/else"])
def test_an_url_nobody_can_read_is_refused(url: str) -> None:
    with pytest.raises(AskedWrongly):
        Database(url)


def test_a_question_no_database_could_answer_is_told_apart_from_one_that_does_not_answer(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/event.db")
    with pytest.raises(StoreRefuses), database.reading() as connection:
        connection.exec_driver_sql("SELECT ?", ())
    database.close()
    with (
        pytest.raises(StoreUnavailable) as caught,
        Database(f"sqlite:///{tmp_path}/missing/event.db").reading() as connection,
    ):
        connection.exec_driver_sql("SELECT 1")
    assert not isinstance(caught.value, StoreRefuses)
