"""The product and the emulator read component documents alike, though they share no code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import BadDocument
from imagebuilder import documents
from localcloud.imagebuilder import document as emulated
from tests import written_documents

CORPUS = Path(__file__).parents[1] / "data" / "documents"
COMPONENTS = Path(documents.__file__).parents[1] / "components"
HEAD = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - {name: A, action: Reboot}\n"
OF_A_DOCUMENT = "ExecuteDocument"


class Refused(Exception):
    """A reader does not take the document."""


Reader = Callable[[bytes], dict[str, Any]]


def product(source: bytes) -> dict[str, Any]:
    """What the product reads."""
    try:
        found = documents.parse(source, Path("any.yml"))
    except BadDocument as error:
        raise Refused(str(error)) from error
    return {
        "parameters": [[one.name, one.default, one.description] for one in found.parameters],
        "constants": {one.name: one.value for one in found.constants},
        "phases": {
            phase.name: [
                {
                    "name": step.name,
                    "action": step.action,
                    "inputs": step.inputs,
                    "timeout": None if -1 in (step.timeout_s, _default_s(step)) else step.timeout_s or _default_s(step),
                    "on failure": step.on_failure or "Abort",
                    "attempts": step.max_attempts or 1,
                    "condition": step.condition,
                    "loop": step.loop,
                }
                for step in phase.steps
            ]
            for phase in found.phases
        },
    }


def _default_s(step: documents.Step) -> int:
    return -1 if step.action == OF_A_DOCUMENT else 7200


def emulator(source: bytes) -> dict[str, Any]:
    """What the emulator reads; its service takes text, so what is not UTF-8 never gets to it."""
    try:
        found = emulated.parse(source.decode())
    except (UnicodeDecodeError, emulated.DocumentRefused) as error:
        raise Refused(str(error)) from error
    return {
        "parameters": [[one.name, one.default, one.description] for one in found.parameters],
        "constants": found.constants,
        "phases": {
            phase.name: [
                {
                    "name": step.name,
                    "action": step.action,
                    "inputs": step.inputs,
                    "timeout": step.timeout_s,
                    "on failure": step.on_failure,
                    "attempts": step.max_attempts,
                    "condition": step.condition,
                    "loop": step.loop and _loop(step.loop),
                }
                for step in phase.steps
            ]
            for phase in found.phases
        },
    }


def _loop(loop: emulated.Loop) -> dict[str, Any]:
    return {loop.kind: loop.spec, **({"name": loop.name} if loop.name is not None else {})}


READERS = pytest.mark.parametrize("read", [product, emulator])


def texts(*kinds: str) -> list[Path]:
    return sorted(path for kind in kinds for path in (CORPUS / kind).glob("*.yml"))


def of(*kinds: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", texts(*kinds), ids=lambda path: path.stem)


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(texts("accepted")) >= 25
    assert len(texts("refused")) >= 40


@READERS
@of("accepted")
def test_a_good_document_is_taken(path: Path, read: Reader) -> None:
    expected = path.with_suffix(".json")
    found = read(path.read_bytes())
    if expected.exists():
        assert found == json.loads(expected.read_text(encoding="utf-8"))


@READERS
@of("refused")
def test_a_bad_document_is_refused(path: Path, read: Reader) -> None:
    with pytest.raises(Refused):
        read(path.read_bytes())


@of("stricter")
def test_what_a_run_would_leave_as_it_is_only_the_product_refuses(path: Path) -> None:
    """AWSTOE leaves a reference that means nothing as it stands, and takes a secret written in clear."""
    emulator(path.read_bytes())
    with pytest.raises(Refused):
        product(path.read_bytes())


@pytest.mark.parametrize(
    "path", [*texts("accepted"), *sorted(COMPONENTS.glob("*.yml"))], ids=lambda path: f"{path.parent.name}-{path.stem}"
)
def test_both_read_the_same_out_of_a_document(path: Path) -> None:
    source = path.read_bytes()
    assert product(source) == emulator(source)


@READERS
def test_a_document_may_have_64000_characters_whatever_their_bytes(read: Reader) -> None:
    longest = HEAD + "#" + "\N{LATIN SMALL LETTER E WITH ACUTE}" * (64_000 - len(HEAD) - 1)
    read(longest.encode())
    with pytest.raises(Refused):
        read(longest.encode() + b"x")


@READERS
@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "&a [*a, ", "!!map {"])
def test_a_document_nested_without_end_is_refused(read: Reader, opening: str) -> None:
    with pytest.raises(Refused):
        read((opening * 3_000).encode())


@settings(max_examples=50)
@given(written_documents.documents())
def test_both_read_a_document_back_as_it_was_written(document: documents.Document) -> None:
    source = documents.render(document).encode()
    assert documents.parse(source, Path("written.yml")) == document
    assert emulator(source) == product(source)


SOURCES = [path.read_text(encoding="utf-8") for path in texts("accepted", "stricter")]
PIECES = st.sampled_from(
    [
        "{{",
        "}}",
        "&a ",
        "*a",
        "? ",
        "!!int ",
        "!!bool ",
        "- ",
        ": ",
        "\t",
        "\n",
        "'",
        '"',
        "|",
        ">",
        "[",
        "{",
        "0x",
        "1e9",
    ]
)


@settings(max_examples=250)
@given(st.data())
def test_both_survive_what_is_broken_and_think_the_same_of_it(data: st.DataObject) -> None:
    """What the product finds wrong beyond AWSTOE is all it may refuse alone."""
    source = data.draw(st.sampled_from(SOURCES))
    for _ in range(data.draw(st.integers(1, 3))):
        at, removed = data.draw(st.integers(0, len(source))), data.draw(st.integers(0, 12))
        source = source[:at] + data.draw(PIECES | st.text(max_size=4)) + source[at + removed :]
    answers = [_answer(read, source.encode(errors="replace")) for read in (product, emulator)]
    if isinstance(answers[0], dict):
        assert answers[0] == answers[1]
    elif isinstance(answers[1], dict):
        lines = answers[0].splitlines()[1:]
        assert all("{{" in line or "secret" in line for line in lines), f"{answers[0]}\n{source}"


def _answer(read: Reader, source: bytes) -> dict[str, Any] | str:
    try:
        return read(source)
    except Refused as error:
        return str(error)


@settings(max_examples=100)
@given(st.binary(max_size=200))
def test_no_bytes_end_in_anything_but_a_refusal(source: bytes) -> None:
    for read in (product, emulator):
        with pytest.raises(Refused):
            read(source)
