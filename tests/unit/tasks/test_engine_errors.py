"""Why the pulumi program failed becomes one error of ours with what to do next."""

from __future__ import annotations

import pytest
from pulumi.automation import _cmd, errors

from contracts.errors import AskedWrongly, RampartError
from tasks.engine_errors import DeploymentFailed, explained
from tasks.engine_events import Problem

LOCKED = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
    "lock file with `pulumi cancel`.\n  file:///home/ada/.pulumi/locks/organization/rampart/iris/0.json: created by ada"
)
NO_PASSPHRASE = (
    "error: getting secrets manager: passphrase must be set with PULUMI_CONFIG_PASSPHRASE or "
    "PULUMI_CONFIG_PASSPHRASE_FILE environment variables"
)
WRONG_PASSPHRASE = (
    "error: failed to decrypt: incorrect passphrase, please set PULUMI_CONFIG_PASSPHRASE to the correct passphrase"
)


def error_for(stderr: str, *problems: Problem) -> RampartError:
    failed = errors.create_command_error(_cmd.CommandResult("Updating (iris)", stderr, 255))
    return explained(failed, "iris", "up", problems)


@pytest.mark.parametrize(
    ("stderr", "message", "hint", "code"),
    [
        (LOCKED, "another update of the stack iris is in progress", "pulumi cancel --stack iris", 1),
        ("error: [409] Conflict: Another update is currently in progress.", "another update", "wait for its end", 1),
        (
            "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions",
            "pulumi is not logged in",
            "pulumi login --local",
            2,
        ),
        ("error: [401] Unauthorized: No credentials provided", "pulumi is not logged in", "pulumi login", 2),
        (NO_PASSPHRASE, "the passphrase of the stack iris is not given", "export PULUMI_CONFIG_PASSPHRASE", 2),
        (WRONG_PASSPHRASE, "the passphrase of the stack iris is another one", "PULUMI_CONFIG_PASSPHRASE_FILE", 2),
    ],
)
def test_what_is_known_to_go_wrong_is_told_in_one_line_with_a_hint(
    stderr: str, message: str, hint: str, code: int
) -> None:
    error = error_for(stderr)

    assert error.message.startswith(message)
    assert "\n" not in error.message
    assert hint in error.hint
    assert error.exit_code == code


def test_what_resources_told_is_shown_one_a_line() -> None:
    error = error_for(
        "error: update failed", Problem(True, "hall", "no room"), Problem(True, "", "no credentials: 401")
    )

    assert isinstance(error, DeploymentFailed)
    assert error.message.splitlines() == [
        "pulumi up failed for the stack iris:",
        "  hall: no room",
        "  no credentials: 401",
    ]
    assert error.hint == "mend it, then again: invoke up --event iris"


@pytest.mark.parametrize(
    ("stderr", "line"),
    [
        ("warning: a new version\nerror: no such plugin\n  see the docs", "no such plugin"),
        ("first\nlast", "last"),
        ("", "it says nothing of why"),
    ],
)
def test_else_the_last_error_of_the_program_is_shown(stderr: str, line: str) -> None:
    assert error_for(stderr).message.splitlines() == ["pulumi up failed for the stack iris:", f"  {line}"]


def test_only_a_wrong_question_has_the_exit_code_of_one() -> None:
    assert isinstance(error_for(NO_PASSPHRASE), AskedWrongly)
    assert not isinstance(error_for(LOCKED), AskedWrongly)
