"""Component documents are read, refused where AWSTOE would refuse them, and written back unchanged."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import BadDocument
from imagebuilder import documents
from imagebuilder.documents import Constant, Document, Parameter, Phase, Step

CASES = Path(__file__).parents[3] / "data" / "documents"
ACCEPTED = sorted((CASES / "accepted").glob("*.yml"))
REFUSED = sorted(path for kind in ("refused", "stricter") for path in (CASES / kind).glob("*.yml"))
HEAD = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n"


def faults(source: str | bytes) -> list[str]:
    """Every fault of a document as `line: message`."""
    with pytest.raises(BadDocument) as caught:
        documents.parse(source, Path("component.yml"))
    assert all(problem.remedy for problem in caught.value.problems)
    return [f"{'' if p.line is None else p.line}: {p.message}" for p in caught.value.problems]


@pytest.mark.parametrize("path", ACCEPTED, ids=[path.stem for path in ACCEPTED])
def test_a_good_document_is_written_back_unchanged(path: Path) -> None:
    document = documents.load(path)
    text = documents.render(document)
    assert documents.parse(text, path) == document
    assert documents.render(documents.parse(text, path)) == text


@pytest.mark.parametrize("path", REFUSED, ids=[path.stem for path in REFUSED])
def test_a_bad_document_is_refused_with_every_fault_in_its_line(path: Path) -> None:
    assert faults(path.read_bytes()) == path.with_suffix(".txt").read_text().splitlines()


def test_a_document_is_read_into_its_parts() -> None:
    document = documents.load(CASES / "accepted" / "everything.yml")
    assert document.parameters == (Parameter("Home", "/home/ubuntu", "The login user's home"),)
    assert document.constants == (Constant("Greeting", "two\nlines: {not} [a] 'mapping' # nor a comment"),)
    assert [phase.name for phase in document.phases] == ["build", "validate", "test"]
    fetch = document.phases[0].steps[0]
    assert (fetch.timeout_s, fetch.on_failure, fetch.max_attempts) == (-1, "Continue", 3)
    assert fetch.inputs == [{"source": "s3://bucket/file", "destination": "{{ Home }}/file"}]


def test_the_message_names_the_file_the_line_and_what_to_write() -> None:
    with pytest.raises(BadDocument) as caught:
        documents.parse(HEAD + "      - {name: A, action: Rebot}\n", Path("my/own.yml"))
    assert "my/own.yml:5: unknown action 'Rebot' — known: " in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_document_longer_than_image_builder_takes_is_refused() -> None:
    found = faults(HEAD + "      - {name: A, action: Reboot}\n" + "# comment\n" * 6400)
    assert found == [": 64088 characters, EC2 Image Builder takes 64000"]


def test_bytes_that_are_no_text_are_refused() -> None:
    assert faults(b"schemaVersion: 1.0\n\xff\xfe") == ["2: not UTF-8 text"]


def test_a_missing_file_is_refused_in_the_same_words(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match="No such file"):
        documents.load(tmp_path / "none.yml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[" * 5000, "nested too deeply"),
        ("a: &a [*a]\n", "nested too deeply"),
        ("a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(f"b{n}: &b{n} [{'*a,' * 99}*a]\n" for n in range(40)), "unfolds"),
        (f"a: {'9' * 9000}\n", "too large a number"),
        ("a: !!set {b}\n", "the YAML tag 'tag:yaml.org,2002:set' is not known"),
        ("a: !!bool maybe\n", "is not a valid bool"),
    ],
    ids=["deep", "recursive", "unfolding", "huge", "set", "no-bool"],
)
def test_hostile_yaml_is_refused_in_a_sentence(text: str, expected: str) -> None:
    assert any(expected in fault for fault in faults(text))


def test_filling_puts_values_defaults_and_constants_in_place_and_leaves_what_only_a_run_knows() -> None:
    document = Document(
        phases=(Phase("build", (Step("A", "ExecuteBash", {"commands": ["{{ Home }} {{Kit}} {{ x.y.outputs.z }}"]}),)),),
        parameters=(Parameter("Home", "/home/ubuntu"), Parameter("Unused", "")),
        constants=(Constant("Kit", "flowers"),),
    )
    step = documents.fill(document, {"Home": "/root"}).phases[0].steps[0]
    assert step.inputs == {"commands": ["/root flowers {{ x.y.outputs.z }}"]}


@pytest.mark.parametrize(
    ("values", "message"),
    [({"Home": "/root", "Hmoe": "/"}, "no such parameter"), ({}, "neither a value nor a default")],
)
def test_filling_refuses_values_nobody_declared_and_parameters_without_one(
    values: dict[str, str], message: str
) -> None:
    document = Document(phases=(), parameters=(Parameter("Home"),))
    with pytest.raises(BadDocument, match=message):
        documents.fill(document, values)
