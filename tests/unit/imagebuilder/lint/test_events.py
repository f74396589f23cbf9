"""An event's documents are looked at together: its own by their files, the library's as its recipe holds them."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import AskedWrongly
from imagebuilder import lint
from tests.unit.imagebuilder.conftest import MakeEvent

LOOK = "[{name: Look, action: ListFiles, timeoutSeconds: 60, inputs: [{path: '{{ Where }}'}]}]"
OWN = f"""schemaVersion: 1.0
parameters:
  - Where:
      type: string
phases:
  - name: validate
    steps: {LOOK}
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.yml"
    path.write_text(OWN)
    return path


def told(found: tuple[lint.Lint, ...]) -> list[str]:
    return [f"{one.path.name}:{one.line}: {one.check}" for one in found if one.allowed is None]


def test_nothing_is_wrong_with_what_the_library_gives_an_event(make_event: MakeEvent) -> None:
    for environment in ("venv", "conda", "existing"):
        assert told(lint.lint_event(make_event(environment=environment, gpu=True, dask=True))) == []


def test_an_own_document_is_named_by_its_file(make_event: MakeEvent, own: Path) -> None:
    own.write_text(OWN.replace("validate", "build"))
    event = make_event(components=[{"document": own, "parameters": {"Where": "/opt"}}])
    assert told(lint.lint_event(event)) == ["own.yml:6: missing-phase"] * 2


def test_an_own_document_that_would_be_refused_does_not_end_the_list(make_event: MakeEvent, own: Path) -> None:
    own.write_text(OWN.replace("1.0", "2.0"))
    event = make_event(components=[{"document": own, "parameters": {"Where": "/opt"}}])
    assert told(lint.lint_event(event)) == ["own.yml:1: schema"]


def test_a_secret_among_the_values_of_the_event_file_is_found(make_event: MakeEvent, own: Path) -> None:
    own.write_text(OWN.replace("Where", "OsfToken"))
    event = make_event(components=[{"document": own, "parameters": {"OsfToken": "hunter2"}}])
    assert told(lint.lint_event(event)) == ["config.yml:None: secret-in-clear"]


def test_an_own_document_that_is_not_there_is_a_wrong_question(make_event: MakeEvent, tmp_path: Path) -> None:
    with pytest.raises(AskedWrongly, match="cannot be read"):
        lint.lint_event(make_event(components=[{"document": tmp_path / "none.yml"}]))
