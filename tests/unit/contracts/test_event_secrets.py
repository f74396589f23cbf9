"""Everything that an event or its environment keeps secret is known by its value."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.event import EventConfig
from contracts.event_file import load_event
from contracts.event_secrets import secrets_in, secrets_of


@pytest.fixture
def deployment(tmp_path: Path) -> Path:
    kit = tmp_path / "ramp-kits" / "iris"
    kit.mkdir(parents=True)
    (kit / "problem.py").touch()
    (tmp_path / "events" / "iris").mkdir(parents=True)
    return tmp_path


def event(deployment: Path, worker: str, database: str = "sqlite:///x.db", **environ: str) -> EventConfig:
    path = deployment / "events" / "iris" / "config.yml"
    path.write_text(f"ramp: {{problem_name: iris, event_name: iris}}\ndatabase_url: '{database}'\nworker: {worker}\n")
    return load_event(path, environ={"HOME": str(deployment)} | environ)


def test_passwords_and_keys_count_as_written_and_as_meant(deployment: Path) -> None:
    keys = "{worker_type: aws, access_key_id: AKIAX, secret_access_key: '${KEY}'}"
    found = event(deployment, keys, "postgresql://me:hu%40nter2@localhost/ramp", KEY="wJalr")
    assert secrets_of(found, {}) == {"hu@nter2", "hu%40nter2", "AKIAX", "wJalr"}


def test_a_password_in_a_urls_query_counts(deployment: Path) -> None:
    found = event(deployment, "{worker_type: conda}", "postgresql://localhost/ramp?user=me&password=hunter2")
    assert secrets_of(found, {}) == {"hunter2"}


def test_an_event_without_secrets_has_none(deployment: Path) -> None:
    assert secrets_of(event(deployment, "{worker_type: conda}"), {}) == frozenset()


def test_an_own_workers_keys_count_where_they_are_named_like_secrets(deployment: Path) -> None:
    worker = "{worker_type: 'mine:Worker', api_key: abcdef, size: large, login: {token: ghijkl, user: me}}"
    assert secrets_of(event(deployment, worker), {}) == {"abcdef", "ghijkl"}


def test_variables_count_whose_names_say_that_they_are_secret() -> None:
    environ = {
        "AWS_SECRET_ACCESS_KEY": "one", "AWS_SESSION_TOKEN": "two", "PULUMI_CONFIG_PASSPHRASE": "three",
        "PGPASSWORD": "four", "DATABASE_URL": "postgresql://me:five@h/d", "RAMPART_SECRET_OSF": "six",
        "AWS_PROFILE": "ramp", "AWS_REGION": "eu-west-3", "AWS_SHARED_CREDENTIALS_FILE": "/home/me/.aws/credentials",
        "PULUMI_CONFIG_PASSPHRASE_FILE": "/run/x", "TOKENIZERS_PARALLELISM": "false", "HOME": "/home/me", "TOKEN": "",
    }  # fmt: skip
    assert secrets_in(environ) == {"one", "two", "three", "four", "five", "six"}
