"""lint-images lists findings as a linter does, and ends with the exit code that says how bad they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks import linting

Printed = pytest.CaptureFixture[str]
GOOD = """schemaVersion: 1.0
phases:
  - name: test
    steps: [{name: Look, action: ListFiles, timeoutSeconds: 60, inputs: [{path: /opt}]}]
"""
DOUBTFUL = GOOD.replace("timeoutSeconds: 60, ", "")
WRONG = GOOD.replace("1.0", "2.0")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lint(*paths: str, **options: object) -> object:
    """Run the command; gives its exit code."""
    try:
        linting.lint_images.body(None, path=list(paths), **options)
    except SystemExit as ended:
        return ended.code
    return 0


def test_our_own_library_is_what_is_looked_at_without_a_path(capsys: Printed) -> None:
    assert lint() == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("0 errors, 0 warnings")


def test_warnings_are_told_and_do_no_harm(folder: Path, capsys: Printed) -> None:
    (folder / "own.yml").write_text(DOUBTFUL)
    assert lint(str(folder / "own.yml")) == 0
    printed = capsys.readouterr()
    expected = "own.yml:4: warning: the step Look may hang for 2 hours — set timeoutSeconds [no-timeout]\n"
    assert (printed.out, printed.err) == (expected, "0 errors, 1 warning\n")


def test_an_error_gives_exit_code_1_and_says_what_comes_next(folder: Path, capsys: Printed) -> None:
    (folder / "a.yml").write_text(DOUBTFUL)
    (folder / "b.yml").write_text(WRONG)
    assert lint(".") == 1
    printed = capsys.readouterr()
    assert [line.split(" ")[0] for line in printed.out.splitlines()] == ["a.yml:4:", "b.yml:1:"]
    assert printed.err == "1 error, 1 warning\nnext: mend what is an error, then the same command again\n"


def test_a_path_that_is_not_there_is_a_wrong_question(folder: Path, capsys: Printed) -> None:
    assert lint("none.yml") == 2
    assert capsys.readouterr().err == "error: no such file or folder: none.yml\nhint: check the path\n"


@pytest.mark.parametrize("options", [{"event": "iris"}, {"config": "config.yml"}])
def test_options_that_contradict_each_other_are_a_wrong_question(folder: Path, options: dict[str, str]) -> None:
    assert lint("x.yml" if "event" in options else "", **options) == 2


def test_as_json_what_a_comment_allows_is_there_with_its_reason(folder: Path, capsys: Printed) -> None:
    comment = "    # lint: allow no-timeout because it never hangs\n"
    (folder / "own.yml").write_text(DOUBTFUL.replace("    steps:", f"{comment}    steps:"))
    assert lint("own.yml", json=True) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out) == [
        {
            "file": "own.yml",
            "line": 5,
            "level": "warning",
            "check": "no-timeout",
            "message": "the step Look may hang for 2 hours",
            "remedy": "set timeoutSeconds",
            "allowed": "it never hangs",
        }
    ]
    assert printed.err == "0 errors, 0 warnings, 1 allowed by comments\n"


def test_the_documents_of_an_event_are_its_own_and_the_librarys(folder: Path, capsys: Printed) -> None:
    from tests.unit.infra.events import event_with

    (folder / "own.yml").write_text(WRONG)
    event = event_with({"image": {"components": ["own.yml"]}}, folder)
    assert lint(event=str(event.path)) == 1
    assert "own.yml:1: error: schemaVersion" in capsys.readouterr().out
