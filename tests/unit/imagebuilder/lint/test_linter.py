"""Each document of the case files is told everything that is wrong with it, at its lines, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.errors import AskedWrongly
from imagebuilder import documents, lint
from imagebuilder.lint import Lint

CASES = Path(__file__).parents[3] / "data" / "lint"
DOCUMENTS = sorted(CASES.glob("*.yml"))
LIBRARY = sorted((Path(documents.__file__).parents[1] / "components").glob("*.yml"))
ACCEPTED = sorted((CASES.parent / "documents" / "accepted").glob("*.yml"))
LOOK = "[{name: Look, action: ListFiles, timeoutSeconds: 60, inputs: [{path: /opt}]}]"
WHOLE = f"schemaVersion: 1.0\nphases:\n  - name: test\n    steps: {LOOK}\n"


def told(found: tuple[Lint, ...]) -> list[str]:
    """Findings as the case files hold them."""
    assert all(one.remedy for one in found)
    return [
        f"{one.line or '-'}: {one.level}: {one.check}: {one.message}"
        + (f" (allowed: {one.allowed})" if one.allowed else "")
        for one in found
    ]


def checks(text: str | bytes) -> list[str]:
    return [one.check for one in lint.lint(text, Path("component.yml"))]


@pytest.mark.parametrize("path", DOCUMENTS, ids=[path.stem for path in DOCUMENTS])
def test_everything_wrong_with_a_document_is_listed_at_once(path: Path) -> None:
    assert told(lint.lint_file(path)) == path.with_suffix(".expected").read_text().splitlines()


@pytest.mark.parametrize("path", LIBRARY, ids=[path.stem for path in LIBRARY])
def test_nothing_is_wrong_with_our_own_library(path: Path) -> None:
    assert [str(one) for one in lint.lint_file(path) if one.allowed is None] == []


@pytest.mark.parametrize("path", ACCEPTED, ids=[path.stem for path in ACCEPTED])
def test_what_awstoe_takes_has_no_fault_of_schema_or_reference(path: Path) -> None:
    assert not {"schema", "reference"} & {one.check for one in lint.lint_file(path)}


def test_every_check_finds_something_in_the_case_files() -> None:
    found = {one.check for path in DOCUMENTS for one in lint.lint_file(path)}
    of_length = {"too-long", "not-inline"}
    assert found == {check.name for check in lint.CHECKS} - of_length


def test_a_finding_is_one_line_with_place_level_remedy_and_check() -> None:
    found = lint.lint("schemaVersion: 1.0\nphases: []\nna\u200bme: 1\n", Path("my/own.yml"))
    assert str(found[0]).startswith("my/own.yml:2: error: phases is missing or not a list — write phases:")
    assert str(found[0]).endswith(" [schema]")
    assert all("\n" not in str(one) and str(one).isprintable() for one in found)


def test_a_long_document_is_told_where_it_must_come_from() -> None:
    assert checks(WHOLE + "#" * 16_000) == ["not-inline"]
    assert checks(WHOLE + "#" * 64_000) == ["too-long"]
    assert lint.lint(WHOLE + "#" * 16_000, Path("x"), comes_from_s3=True) == ()


def test_a_text_far_too_long_is_not_looked_at_any_further() -> None:
    assert checks("a: {{ b }}\n" * 100_000) == ["too-long"]


def test_bytes_that_are_no_text_are_told_with_the_rest() -> None:
    assert checks(b"schemaVersion: 2.0\n\xff\nphases: 1\n")[0] == "schema"


def test_unquoted_references_do_not_hide_what_stands_behind_them() -> None:
    text = WHOLE.replace("path: /opt", "path: {{ Home }}/x, extra: 1") + "unknown: {{ Home }}\n"
    found = lint.lint(text, Path("x"))
    assert {(one.line, one.check) for one in found} >= {(4, "reference"), (5, "schema")}


def test_a_folder_gives_the_documents_below_it_in_order(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yaml", "in/c.yml", "notes.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    names = [path.relative_to(tmp_path).as_posix() for path in lint.files([tmp_path, tmp_path / "b.yml"])]
    assert names == ["a.yaml", "b.yml", "in/c.yml"]


def test_a_path_without_documents_is_a_wrong_question(tmp_path: Path) -> None:
    with pytest.raises(AskedWrongly, match="no documents in"):
        lint.files([tmp_path])
    with pytest.raises(AskedWrongly, match="no such file or folder"):
        lint.files([tmp_path / "none.yml"])
    with pytest.raises(AskedWrongly, match="cannot be read"):
        lint.lint_file(tmp_path)
