"""The first thing a newcomer types shows a whole event and leaves nothing."""

from __future__ import annotations

import re
from pathlib import Path

from tests.acceptance.conftest import Deployment


def test_the_demo_runs_an_event_from_nothing_to_a_leaderboard(tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    answer = Deployment(tmp_path).invoke("demo", extra={"TMPDIR": str(tmp_path / "temporary")})
    assert answer.exit_code == 0, answer
    ranked = re.findall(r"^ +(\d) +(\w+) +(\w+) ", answer.out, re.MULTILINE)
    assert ranked[:3] == [("1", "blue", "trees"), ("2", "blue", "boastful"), ("3", "green", "starter")], answer
    assert re.search(r"green +forgetful +training_error +participant +raised +.*ValueError", answer.out), answer
    assert re.search(r"red +patient +training_error +participant +timeout +.*time limit", answer.out), answer
    assert re.search(r"red +hungry +training_error +participant +out-of-memory +.*memory limit", answer.out), answer
    assert "instances still up: 0" in answer.out
    assert list((tmp_path / "temporary").iterdir()) == []
