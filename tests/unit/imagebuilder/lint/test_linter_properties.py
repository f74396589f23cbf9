"""No text, however broken, ends in a traceback."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from imagebuilder import lint
from imagebuilder.lint import shell

CASES = Path(__file__).parents[3] / "data" / "lint"
SOURCES = [path.read_text() for path in sorted(CASES.glob("*.yml"))]
PIECES = st.sampled_from(
    ["{{", "}}", "&a ", "*a", "? ", "!!int ", "- ", ": ", "|\n", "'", '"', "$(", "`", "<<E\n", "\n", "case x in a)"]
)
SHELL = st.lists(st.sampled_from(list("ab1 \n\t'\"\\$(){}[]<>|&;#=-`!*")) | PIECES | st.text(max_size=3), max_size=40)


def judge(content: str | bytes) -> None:
    """Every finding is a line of text, in the order of lines."""
    found = lint.lint(content, Path("any.yml"))
    assert [one.line or 0 for one in found] == sorted(one.line or 0 for one in found)
    assert all(str(one).isprintable() for one in found)


@settings(max_examples=100)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_text_ends_in_a_traceback(content: str | bytes) -> None:
    judge(content)


@settings(max_examples=100)
@given(st.sampled_from(SOURCES), st.data(), st.integers(0, 60), PIECES | st.text(max_size=10))
def test_no_damage_to_a_document_ends_in_a_traceback(
    source: str, data: st.DataObject, removed: int, inserted: str
) -> None:
    at = data.draw(st.integers(0, len(source)))
    judge(source[:at] + inserted + source[at + removed :])


@settings(max_examples=200)
@given(SHELL.map("".join))
def test_every_script_is_read_to_its_end_with_lines_of_its_own(script: str) -> None:
    last = script.count("\n")
    parsed = shell.parse(script)
    assert all(0 <= line <= last for command in parsed.commands for line in command.lines)
    assert all(0 <= line <= last for line, _ in parsed.faults)


def test_what_is_nested_without_end_is_read() -> None:
    for opening in ("$(", "`", "(", "{ ", '"$(', "${a:-", "sh -c '", "if true; then "):
        shell.parse(opening * 3_000)
