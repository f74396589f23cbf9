"""The component documents that come with Rampart keep the house's own rules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from imagebuilder import documents

FILES = sorted((Path(documents.__file__).parents[1] / "components").glob("*.yml"))


@pytest.fixture(params=FILES, ids=[path.stem for path in FILES])
def document(request: pytest.FixtureRequest) -> documents.Document:
    path: Path = request.param
    return documents.load(path)


def scripts(document: documents.Document) -> list[str]:
    found: list[str] = []
    for step in (step for phase in document.phases for step in phase.steps):
        if step.action == "S3Download":
            continue
        assert step.action == "ExecuteBash"
        assert isinstance(step.inputs, dict)
        commands = step.inputs["commands"]
        assert isinstance(commands, list)
        found.extend(str(command) for command in commands)
    return found


def outside_single_quotes(script: str) -> str:
    """What bash itself looks at: comments and everything between single quotes taken away."""
    comment, single, double = r"(?m:^\s*#.*$)", r"'[^']*'", r'"(?:[^"\\]|\\.)*"'
    return re.sub(f"{comment}|{single}|({double})", lambda found: found[1] or "", script)


def test_what_a_component_installs_it_proves_on_both_instances(document: documents.Document) -> None:
    phases = [phase.name for phase in document.phases]
    assert phases == (["validate", "test"] if document.name == "ramp-test" else ["build", "validate", "test"])


def test_every_step_has_a_timeout_of_its_own(document: documents.Document) -> None:
    assert all(step.timeout_s for phase in document.phases for step in phase.steps)


def test_every_script_stops_at_its_first_failing_command(document: documents.Document) -> None:
    assert all("\n" not in script.strip() or script.startswith("set -eu") for script in scripts(document))


def test_every_reference_stands_between_single_quotes(document: documents.Document) -> None:
    for script in scripts(document):
        assert "{{" not in outside_single_quotes(script)


def test_no_parameter_is_named_like_a_secret(document: documents.Document) -> None:
    names = [parameter.name for parameter in document.parameters]
    names += [constant.name for constant in document.constants]
    assert not [name for name in names if re.search("password|secret|token|credential", name, re.IGNORECASE)]


def test_no_script_asks_a_question_or_a_password(document: documents.Document) -> None:
    for script in scripts(document):
        assert "apt-get install" not in script or " -y" in script
        # as the first word of a command: where it is a group's name or a message's word it is none
        assert not re.search(r"(?m)(^|[|;&(]|\b(if|then|do|until))\s*sudo (?!-n )", script)


def test_the_test_phase_of_every_component_needs_no_network(document: documents.Document) -> None:
    last = document.phase("test")
    assert last is not None
    for script in scripts(documents.Document((last,))):
        assert not re.search(r"apt-get|curl|pip install|git (fetch|clone)|conda env|secretsmanager", script)


def test_a_file_is_the_component_of_its_name(document: documents.Document) -> None:
    assert document.name in {path.stem for path in FILES}
