"""The database's URL says what the configuration says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from contracts.errors import BadConfiguration
from contracts.event import EventConfig

Load = Callable[..., EventConfig]

EVENT = "ramp: {problem_name: iris, event_name: iris}\nworker: {worker_type: aws}\n"


def test_a_password_of_special_characters_arrives_whole(load: Load, deployment: Path) -> None:
    password = "p@ss:w/o?r#d %41&+é"
    (deployment / "config.yml").write_text(
        "sqlalchemy:\n  drivername: postgresql\n  username: ra@mp\n"
        f"  password: '{password}'\n  host: localhost\n  port: 5432\n  database: board\n"
    )
    url = make_url(load(EVENT).database_url.get_secret_value())
    assert (url.username, url.password, url.host, url.port, url.database) == (
        "ra@mp",
        password,
        "localhost",
        5432,
        "board",
    )


@pytest.mark.parametrize(("host", "port"), [("'::1'", "5433"), ("/var/run/postgresql", ""), ("", "null")])
def test_an_address_a_socket_or_nothing_may_be_the_host(host: str, port: str, load: Load) -> None:
    event = load(f"{EVENT}sqlalchemy: {{drivername: postgresql, host: {host}, port: {port}, database: board}}")
    url = make_url(event.database_url.get_secret_value())
    assert (url.host or url.query.get("host") or "") == host.strip("'")
    assert url.database == "board"


def test_numbers_stand_for_text_as_in_ramp(load: Load) -> None:
    event = load(EVENT + "sqlalchemy: {drivername: postgresql, username: 7, password: 1234, database: 2026}")
    assert event.database_url.get_secret_value() == "postgresql://7:1234@/2026"


def test_a_url_wins_in_the_event_file(load: Load, deployment: Path) -> None:
    (deployment / "config.yml").write_text("sqlalchemy: {drivername: sqlite, database: board.db}\n")
    assert load(EVENT).database_url.get_secret_value() == f"sqlite:///{deployment}/board.db"
    event = load(EVENT + "database_url: postgresql://ramp@/board\n")
    assert event.database_url.get_secret_value() == "postgresql://ramp@/board"


def test_a_relative_file_starts_from_the_deployment(load: Load, deployment: Path) -> None:
    event = load(EVENT + "database_url: sqlite:///board.db?timeout=5\n")
    assert event.database_url.get_secret_value() == f"sqlite:///{deployment}/board.db?timeout=5"
    event = load(EVENT + "database_url: sqlite:////srv/board.db\n")
    assert event.database_url.get_secret_value() == "sqlite:////srv/board.db"


@pytest.mark.parametrize(
    "url", ["mysql://u:hunter2@h/d", "hunter2", "sqlite://", "sqlite:///:memory:", "postgresql://u:hunter2@h"]
)
def test_a_url_we_cannot_work_with_is_refused_unseen(url: str, load: Load) -> None:
    with pytest.raises(BadConfiguration, match="database_url: ") as refused:
        load(f"{EVENT}database_url: '{url}'\n")
    assert "hunter2" not in str(refused.value)


def test_a_url_beside_a_section_is_refused(load: Load) -> None:
    with pytest.raises(BadConfiguration, match="given together with sqlalchemy"):
        load(EVENT + "database_url: sqlite:///x.db\nsqlalchemy: {drivername: sqlite, database: x.db}\n")
