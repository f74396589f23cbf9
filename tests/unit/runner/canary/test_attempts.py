"""What the canary says it tries is what its program tries."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

from runner.canary.attempts import ATTEMPTS, BOMBS, HOSTILE, OUTPUTS, Proof, digest
from runner.canary.hostile import verbs

NAMES = [one.name for one in ATTEMPTS]
# the program does these besides its attempts, or as one of its verbs
BESIDES = {"left-processes", "fake-scores", "log-controls", "log-flood", "log-traceback"}


def test_more_than_twenty_things_are_tried_each_once_and_by_a_name_that_a_line_can_hold() -> None:
    assert len(NAMES) >= 20
    assert len(set(NAMES)) == len(NAMES)
    assert all(re.fullmatch("[a-z-]{1,40}", name) for name in NAMES)


def test_each_attempt_of_the_table_is_made_and_no_other() -> None:
    assert set(NAMES) == {*verbs.ATTEMPTS, *verbs.BOMBS, *BESIDES}
    assert set(verbs.BOMBS) == set(BOMBS) == {one.name for one in ATTEMPTS if one.proof is Proof.END}
    assert set(OUTPUTS) < set(verbs.ATTEMPTS)
    assert set(verbs.LOOKS) < set(verbs.ATTEMPTS)


def test_what_is_asked_for_first_of_all_is_tried() -> None:
    wanted = {
        *("labels", "other-submission", "home", "keys", "user-data", "metadata", "metadata-token", "tcp", "udp", "dns"),
        *(
            "beside",
            "sudo",
            "setuid-made",
            "setuid-existing",
            "traced",
            "signals",
            "escaped",
            "forks",
            "memory",
            "disk",
        ),
        *("sparse", "huge", "symlink", "hard-link", "device", "fifo", "climbing", "absolute", "many"),
        *("log-controls", "log-traceback", "record", "fake-scores", "stays", "left-processes"),
    }
    assert wanted <= set(NAMES)


def test_one_version_has_one_digest() -> None:
    assert re.fullmatch("[0-9a-f]{16}", digest())
    assert digest() == digest()


@pytest.mark.parametrize(
    "path", [*sorted(HOSTILE.glob("*.py")), HOSTILE.with_name("bait.py")], ids=lambda path: path.stem
)
def test_what_runs_on_a_host_needs_the_standard_library_of_python_3_8_and_itself(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    foreign = {one for one in imported if one.split(".")[0] not in sys.stdlib_module_names}
    assert all(one.startswith("runner.canary.hostile") for one in foreign)
