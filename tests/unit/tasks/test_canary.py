"""A canary's report has a line for each attempt, and says last what to make of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.work import Containment
from runner.canary import ATTEMPTS, Outcome, Report, Result
from tasks import canary
from tests.contract.store_fixtures import event_in


def report(containment: Containment, **outcomes: Outcome) -> Report:
    """All stopped but what is given by name."""
    results = [Result(one, outcomes.get(one.name, Outcome.STOPPED), "why") for one in ATTEMPTS]
    return Report(containment, True, tuple(results))


def test_each_line_says_what_was_tried_and_what_stopped_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    canary.show(event_in(tmp_path, "sqlite://"), report(Containment.SYSTEMD))
    printed = capsys.readouterr()
    _, _, *rows, last = printed.out.splitlines()
    assert len(rows) == len(ATTEMPTS)
    for row, one in zip(rows, ATTEMPTS, strict=True):
        assert row.split("stopped", 1)[0].strip().endswith(one.tried)
        assert row.endswith(f"{one.wall}: why")
    assert last == f"contained by systemd: {len(ATTEMPTS)} of {len(ATTEMPTS)} attempts were stopped"
    assert printed.err.splitlines()[-1].startswith("next: invoke train-loop --event iris")


def test_weaker_isolation_is_called_so_and_what_it_did_not_stop_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weak = report(
        Containment.PROCESS_GROUP, home=Outcome.NOT_STOPPED, tcp=Outcome.NOT_STOPPED, metadata=Outcome.NOT_POSSIBLE
    )
    canary.show(event_in(tmp_path, "sqlite://"), weak)
    printed = capsys.readouterr()
    count = len(ATTEMPTS)
    assert printed.out.splitlines()[-2:] == [
        f"contained by process-group, weaker isolation: {count - 3} of {count - 1} attempts were stopped",
        "not stopped: home, tcp",
    ]
    assert "isolation: strict" in printed.err
    assert printed.err.splitlines()[-1] == "next: invoke doctor --event iris"


def test_the_json_holds_every_attempt_with_its_outcome_as_one_word() -> None:
    data = canary.as_data(report(Containment.NAMESPACES, dns=Outcome.NOT_STOPPED, tcp=Outcome.NOT_POSSIBLE))
    assert (data["not_stopped"], data["is_strict"], data["stopped"]) == (["dns"], True, len(ATTEMPTS) - 2)
    attempts = data["attempts"]
    assert isinstance(attempts, list)
    assert {one["outcome"] for one in attempts} == {"stopped", "not-stopped", "not-possible"}
