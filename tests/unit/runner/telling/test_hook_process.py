"""A hook is a program with its words, in an environment that tells no secret."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest

from runner.interruption import Interruption
from runner.telling import hook_process

PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


@pytest.fixture(autouse=True)
def all_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def run(line: str, folder: Path, *, limit_s: float = 30.0, given_up: Interruption | None = None, **facts: str) -> None:
    hook_process.run(line, PATH | facts, folder, limit_s=limit_s, given_up=given_up or Interruption())


@pytest.mark.parametrize(
    ("line", "argv"),
    [
        ("fab update_leaderboards:e=iris", ("fab", "update_leaderboards:e=iris")),
        ("tell 'the team' x\\ y", ("tell", "the team", "x y")),
        ("cd /srv;fab update", ("/bin/sh", "-c", "cd /srv;fab update")),
        ('echo "$RAMPART_TEAM"', ("/bin/sh", "-c", 'echo "$RAMPART_TEAM"')),
        ("make board | mail me", ("/bin/sh", "-c", "make board | mail me")),
    ],
)
def test_a_shell_reads_only_a_line_that_uses_one(line: str, argv: tuple[str, ...]) -> None:
    assert hook_process.argv_of(line) == argv


def test_secrets_are_left_out_by_name_and_by_value() -> None:
    environ = {
        "HOME": "/home/ramp", "AWS_PROFILE": "x", "RAMP_DB_PASSWORD": "x", "GITHUB_TOKEN": "x", "MY_DB": "ramp",
        "URL": "postgresql://me:ramp@localhost/db", "LANG": "C.UTF-8",
    }  # fmt: skip
    left = hook_process.without_secrets(environ, ["ramp"])
    assert left == {"HOME": "/home/ramp", "LANG": "C.UTF-8"}


def test_a_team_name_with_shell_syntax_is_a_name_and_nothing_else(tmp_path: Path) -> None:
    run('printf %s "$RAMPART_TEAM" > told', tmp_path, RAMPART_TEAM="$(touch broken); `touch broken`")
    assert (tmp_path / "told").read_text() == "$(touch broken); `touch broken`"
    assert not (tmp_path / "broken").exists()


def test_what_a_hook_prints_is_logged_without_terminal_sequences(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run(r"printf '\033[31mdone\033[0m'", tmp_path)
    assert "ran: done" in caplog.text


def test_a_hook_that_fails_is_logged_with_what_it_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run("echo no such board >&2; exit 3", tmp_path)
    assert "ended with exit code 3: no such board" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_a_hook_whose_program_is_missing_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run("no-such-program --at-all", tmp_path)
    assert "could not be started" in caplog.text


def test_a_hook_past_its_time_is_ended_with_its_children(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    run("sleep 600 | sleep 600", tmp_path, limit_s=0.05)
    assert "was ended after 0.05 s" in caplog.text


def test_a_hook_that_is_given_up_ends_at_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    given_up = Interruption()
    running = threading.Thread(target=run, args=("sleep 600", tmp_path), kwargs={"given_up": given_up})
    running.start()
    given_up.ask()
    running.join(30)
    assert not running.is_alive()
    assert "was ended, since the dispatcher has" in caplog.text
