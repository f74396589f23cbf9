"""An event that began on the embedded database goes on in PostgreSQL after one command."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest
import sqlalchemy

from tests.acceptance.conftest import Deployment
from tests.contract import store_fixtures

pytestmark = store_fixtures.NEEDS_POSTGRESQL

EVENT = """
ramp: {{problem_name: iris, event_name: iris, kit_dir: examples/iris, data_dir: examples/iris}}
worker: {{worker_type: conda, env: venv, venv_dir: {prefix}, timeout: 600}}
dispatcher: {{n_threads: 1, hunger_policy: exit}}
"""


@pytest.fixture
def target() -> Iterator[str]:
    """The URL of an empty PostgreSQL database."""
    programs = store_fixtures.postgresql_programs()
    assert programs is not None
    with store_fixtures.postgresql_server(programs) as server:
        url = sqlalchemy.make_url(store_fixtures.new_postgresql_database(server, "moved"))
        yield url.render_as_string(hide_password=False)


def submit(deployment: Deployment, name: str) -> None:
    path = f"examples/iris/submissions/{name}"
    answer = deployment.invoke("submit", "--team", "blue", "--submission", f"my_{name}", "--path", path)
    assert answer.exit_code == 0, answer


def states(deployment: Deployment) -> dict[str, str]:
    answer = deployment.invoke("status", "--json")
    assert answer.exit_code == 0, answer
    return {row["submission"]: row["state"] for row in json.loads(answer.out)}


def test_an_event_goes_on_in_postgresql_where_it_was_in_sqlite(deployment: Deployment, target: str) -> None:
    event = EVENT.format(prefix=sys.prefix)
    path = deployment.write_event(event)
    submit(deployment, "forest")
    assert deployment.invoke("train-loop").exit_code == 0
    submit(deployment, "starting_kit")
    copied = deployment.invoke("db-copy", "--to", target)
    assert copied.exit_code == 0, copied
    assert "submissions 2, runs 1, teams 1" in copied.out
    assert f'{path}: database_url: "{target}"' in copied.out
    path.write_text(f'{event}\ndatabase_url: "{target}"\n')
    (deployment.folder / ".rampart" / "iris.db").unlink()
    assert states(deployment) == {"my_forest": "scored", "my_starting_kit": "new"}
    assert deployment.invoke("train-loop").exit_code == 0
    board = deployment.invoke("leaderboard")
    assert board.out.index("my_forest") < board.out.index("my_starting_kit"), board
    again = deployment.invoke("db-copy", "--to", target)
    assert again.exit_code == 2, again
    assert "already" in again.err


@pytest.mark.parametrize("url", ["postgresql://me:hush@h/d", "postgresql://h/d?password=hush"])
def test_a_password_on_the_command_line_is_refused_and_not_repeated(deployment: Deployment, url: str) -> None:
    deployment.write_event(EVENT.format(prefix=sys.prefix))
    answer = deployment.invoke("db-copy", "--to", url)
    assert answer.exit_code == 2, answer
    assert "PGPASSWORD" in answer.err
    assert "hush" not in answer.err + answer.out


def test_a_deployments_configuration_names_the_target_with_its_password(deployment: Deployment, target: str) -> None:
    deployment.write_event(EVENT.format(prefix=sys.prefix))
    submit(deployment, "forest")
    url = sqlalchemy.make_url(target)
    section = {"drivername": "postgresql", "username": url.username, "password": "hush", "host": url.query["host"]}
    (deployment.folder / "new.yml").write_text(json.dumps({"sqlalchemy": {**section, "database": url.database}}))
    answer = deployment.invoke("db-copy", "--to", "new.yml")
    assert answer.exit_code == 0, answer
    assert "hush" not in answer.err + answer.out
    (deployment.folder / "new.yml").write_text("flask: {}\n")
    without = deployment.invoke("db-copy", "--to", "new.yml")
    assert without.exit_code == 2, without
    assert "names no database" in without.err
