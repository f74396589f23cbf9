"""What is printed is plain where no person looks, and harmless whoever wrote it."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rich.console import Console

from tasks import console

Printed = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07rest", "rest"),
        ("a\rb\x00c\x7fd\x9b1me", "abcde"),
        ("tab\tbed", "tab bed"),
        ("Zoë [bold]π[/bold]", "Zoë [bold]π[/bold]"),
        ("two\nlines", "two\nlines"),
        ("fdp.\u202egnp\u200b.exe", "fdp.gnp.exe"),
    ],
)
def test_control_sequences_never_reach_the_terminal(text: str, shown: str) -> None:
    assert console.cleaned(text) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (None, "-"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.97, "10 s"),
        (75, "75 s"),
        (119.4, "119 s"),
        (119.7, "2 min"),
        (120, "2 min"),
        (7140, "119 min"),
        (7500, "2 h 05 min"),
        (47 * 3600, "47 h 00 min"),
        (50 * 3600, "2 days"),
    ],
)
def test_a_duration_is_written_as_a_person_says_it(seconds: float | None, shown: str) -> None:
    assert console.duration(seconds) == shown


def test_a_table_without_a_terminal_is_aligned_lines_without_frames(capsys: Printed) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    console.table("things", ("name", "score", "at"), [("short", 0.123456, moment), ("much longer", None, None)])
    assert capsys.readouterr().out.splitlines() == [
        "things",
        "  name         score   at",
        "  short        0.1235  2026-01-02 03:04:05Z",
        "  much longer  -       -",
    ]


def test_a_cell_of_several_lines_stays_one_line_without_a_terminal(capsys: Printed) -> None:
    console.table("failed", ("reason", "team"), [("first\nsecond", "blue\x1b[2J")])
    assert capsys.readouterr().out.splitlines()[-1] == "  first second  blue"


@pytest.mark.parametrize(("width", "framed"), [(60, False), (79, True), (100, True)])
def test_a_table_too_wide_for_a_narrow_terminal_becomes_a_list(
    monkeypatch: pytest.MonkeyPatch, width: int, framed: bool
) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, color_system=None, width=width, soft_wrap=True)
    monkeypatch.setattr(console, "out", lambda: terminal)
    console.table("things", ("name", "reason", "note"), [("short", "a reason of many words that is " + 26 * "x", "")])
    lines = shown.getvalue().splitlines()
    assert lines[0].strip() == "things"
    assert lines[1].startswith("┏" if framed else "- name    short")
    assert framed or lines[2:] == ["  reason  a reason of many words that is " + 26 * "x"]


@pytest.mark.parametrize(("width", "framed"), [(80, False), (120, True)])
def test_a_table_that_would_break_up_words_becomes_a_list(
    monkeypatch: pytest.MonkeyPatch, width: int, framed: bool
) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, color_system=None, width=width, soft_wrap=True)
    monkeypatch.setattr(console, "out", lambda: terminal)
    ids = ("i-0e1f27bd0e74d6b93", "ami-60009491691841f9b", "lt-0e1f27bd0e74d6b93", "sg-60009491691841f9b")
    console.table("things", ("instance", "image", "template", "group"), [ids])
    assert all(each in shown.getvalue() for each in ids)
    assert ("┏" in shown.getvalue()) == framed


def test_a_table_of_nothing_says_so_in_a_line(capsys: Printed) -> None:
    console.table("hosts", ("instance",), [], empty="none is up")
    assert capsys.readouterr().out == "hosts: none is up\n"


@pytest.mark.parametrize("columns", ["60", "200"])
def test_a_long_line_is_never_broken_up_without_a_terminal(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    console.result("word " * 50)
    assert len(capsys.readouterr().out.splitlines()) == 1


HOSTILE = "[red]x[/red] [link=http://evil.example]y[/link] [/] [@click=boom]z"


def test_what_looks_like_markup_is_printed_as_it_is(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    console.result(HOSTILE)
    console.say(HOSTILE, style="red")
    console.table(HOSTILE, (HOSTILE,), [(HOSTILE,)])
    printed = capsys.readouterr()
    assert printed.out.count(HOSTILE) == 4
    assert printed.err == f"{HOSTILE}\n"
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, color_system=None, width=200)
    monkeypatch.setattr(console, "out", lambda: terminal)
    monkeypatch.setattr(console, "err", lambda: terminal)
    console.table(HOSTILE, (HOSTILE,), [(HOSTILE,)])
    console.result(HOSTILE)
    with console.progress(HOSTILE) as show:
        show(HOSTILE, None)
    assert shown.getvalue().count(HOSTILE) >= 5
    assert "\x1b]8" not in shown.getvalue()


def test_titles_and_columns_are_cleaned_too(capsys: Printed) -> None:
    console.table("a\x1b[2Jb", ("c\x1b]0;t\x07d",), [("e",)])
    assert capsys.readouterr().out.splitlines() == ["ab", "  cd", "  e"]


def test_a_secret_reaches_neither_terminal_nor_json(capsys: Printed) -> None:
    console.hide(["hunter22"])
    console.hide(["another-one"])
    console.result("hunter22, another-one, hunter\u200b22")
    console.say("postgresql://me:elsewhere@db/x")
    console.table("hunter22", ("name",), [("hunter22",)])
    console.data({"rows": [{"reason": "hunter22", "score": 0.5, "host": None}], "at": Path("/hunter22")})
    printed = capsys.readouterr()
    assert printed.err == "postgresql://me:***@db/x\n"
    assert printed.out.splitlines()[:4] == ["***, ***, ***", "***", "  name", "  ***"]
    shown = {"rows": [{"reason": "***", "score": 0.5, "host": None}], "at": "/***"}
    assert json.loads("".join(printed.out.splitlines()[4:])) == shown


def test_progress_goes_to_stderr_so_that_results_can_be_piped(capsys: Printed) -> None:
    with console.progress("building") as show:
        show("step [1]\x1b[31m", None)
    console.next_step("invoke status")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == ["building ...", "  step [1]", "next: invoke status"]


def test_data_is_json_with_times_and_paths_as_text(capsys: Printed) -> None:
    console.data({"at": datetime(2026, 1, 2, tzinfo=UTC), "where": Path("/a"), "text": 'quoted "π"'})
    read = json.loads(capsys.readouterr().out)
    assert read == {"at": "2026-01-02T00:00:00+00:00", "where": "/a", "text": 'quoted "π"'}
