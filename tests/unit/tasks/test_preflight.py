"""What preflight finds is shown like doctor's findings, and keeps `up` from going on where it must."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from contracts.findings import Finding, Level
from tasks import findings, preflight
from tests.unit.infra.events import event_with

FINE = Finding(Level.OK, "region", "eu-west-3")
DOUBTFUL = Finding(Level.WARNING, "vCPUs", "6 needed, the quota is 5", "ask for more")
WRONG = Finding(Level.ERROR, "parent image", "ami-1 is no image", "write another one; invoke preflight --event iris")


@pytest.fixture
def event_file(tmp_path: Path) -> str:
    return str(event_with({}, tmp_path).path)


def finds(monkeypatch: pytest.MonkeyPatch, found: Sequence[Finding]) -> None:
    monkeypatch.setattr(preflight, "look", lambda _event: list(found))


def test_findings_are_lines_with_their_hints_below_and_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    findings.show([FINE, DOUBTFUL, WRONG], as_json=False)
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "ok       region        eu-west-3",
        "warning  vCPUs         6 needed, the quota is 5",
        "                       hint: ask for more",
        "error    parent image  ami-1 is no image",
        "                       hint: write another one; invoke preflight --event iris",
    ]
    assert err == "1 error, 1 warning\n"


def test_findings_as_json_are_all_there(capsys: pytest.CaptureFixture[str]) -> None:
    findings.show([FINE, WRONG], as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [one["level"] for one in told] == ["ok", "error"]
    assert told[0] == {"level": "ok", "about": "region", "message": "eu-west-3", "hint": ""}


def test_no_findings_are_counted_too() -> None:
    assert findings.counted([]) == "0 errors, 0 warnings"
    assert not findings.has_errors([FINE, DOUBTFUL])


def test_the_last_line_says_what_comes_next(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], event_file: str
) -> None:
    finds(monkeypatch, [FINE, DOUBTFUL])
    preflight.preflight.body(None, event=event_file)
    assert capsys.readouterr().err.splitlines()[-1] == f"next: invoke up --event {event_file}"


def test_an_error_gives_exit_code_1_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], event_file: str
) -> None:
    finds(monkeypatch, [FINE, WRONG])
    with pytest.raises(SystemExit) as ended:
        preflight.preflight.body(None, event=event_file)
    assert ended.value.code == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"next: mend what is an error, then again: invoke preflight --event {event_file}"


def test_up_is_refused_for_errors_which_are_told_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    finds(monkeypatch, [FINE, DOUBTFUL, WRONG])
    with pytest.raises(preflight.PreflightFailed, match="preflight found 1 error, 1 warning: nothing was deployed"):
        preflight.refuse_on_errors(event_with({}, tmp_path), local=False)
    out, err = capsys.readouterr()
    assert out == ""
    assert "eu-west-3" not in err
    assert "parent image  ami-1 is no image" in err


def test_up_goes_on_where_nothing_is_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    finds(monkeypatch, [FINE, DOUBTFUL])
    preflight.refuse_on_errors(event_with({}, tmp_path), local=True)
    assert "asking the local cloud for what iris needs" in capsys.readouterr().err
