"""The values of secrets are taken from where they are kept, and a missing one is told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks import stack_secrets

EVENT: Any = SimpleNamespace(name="iris", infra=SimpleNamespace(secrets={"osf": "a token", "other-one": "another"}))


def test_a_rehearsal_takes_values_from_the_environment_by_the_names_that_the_program_asks_for() -> None:
    environ = {"RAMPART_SECRET_OSF": "x", "RAMPART_SECRET_OTHER_ONE": "y", "RAMPART_SECRET_FOREIGN": "z"}

    assert stack_secrets.from_environment(EVENT, environ) == {"secret-osf": "x", "secret-other-one": "y"}


def test_an_empty_variable_is_no_value() -> None:
    assert stack_secrets.from_environment(EVENT, {"RAMPART_SECRET_OSF": ""}) == {}


def test_a_rehearsal_is_told_the_variable_of_a_missing_value(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("RAMPART_SECRET_OSF", "opensesame")
    monkeypatch.delenv("RAMPART_SECRET_OTHER_ONE", raising=False)

    stack_secrets.warn_of_missing(EVENT, local=True, stack_file=tmp_path / "none")

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: the secret other-one has no value")
    assert line.endswith("export RAMPART_SECRET_OTHER_ONE=...")


@pytest.mark.parametrize(
    ("content", "n_missing"),
    [
        ("config:\n  rampart:secret-osf: {secure: v1:x}\n  rampart:secret-other-one: {secure: v1:y}\n", 0),
        ("config:\n  rampart:secret-osf: {secure: v1:x}\n", 1),
        ("encryptionsalt: v1:z\n", 2),
        ("config: nothing\n", 2),
        ("[", 2),
        ("", 2),
        (None, 2),
    ],
)
def test_on_aws_values_are_those_of_the_stacks_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, n_missing: int
) -> None:
    path = tmp_path / "Pulumi.iris.yaml"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    stack_secrets.warn_of_missing(EVENT, local=False, stack_file=path)

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == n_missing
    assert all("pulumi config set --secret secret-" in line for line in lines)
