"""What is chosen where a system forbids machines of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from localcloud.machines import Level
from localcloud.machines.probe import why_not

ASK = "from localcloud.machines import explain_level; print(explain_level())"
# inside a user namespace of its own, so that the prohibition ends with it
FORBID = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"'


def explained(*before: str, path: str = os.environ["PATH"]) -> str:
    environment = {"PATH": path, "PYTHONPATH": str(Path(__file__).parents[4]), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*before, sys.executable, "-c", ASK], env=environment, capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout.strip()


def test_a_system_that_forbids_namespaces_gets_plain_machines_and_the_reasons() -> None:
    if why_not(Level.USER) is not None:
        pytest.skip(f"user namespaces cannot be made here anyway: {why_not(Level.USER)}")
    tool = shutil.which("unshare")
    assert tool is not None
    said = explained(tool, "-Ur", "sh", "-c", FORBID, "sh")
    assert said.startswith("machines are at the level plain (full: ")
    assert "unshare" in said


def test_missing_tools_are_named() -> None:
    said = explained(path="/nowhere")
    assert "nsenter" in said
    assert said.startswith("machines are at the level plain")


def test_the_level_used_here_is_said_with_a_reason_for_each_stronger_one() -> None:
    chosen = next(level for level in Level if why_not(level) is None)
    said = explained()
    assert said.startswith(f"machines are at the level {chosen}")
    assert said.count(": ") >= list(Level).index(chosen)
