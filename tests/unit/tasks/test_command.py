"""A command that fails says so in lines, with the exit code that tells failed work from a wrong question."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys

import pytest
from invoke.context import Context

from contracts.errors import AskedWrongly, CloudError, ImageBuildFailed, RampartError, UnknownName
from tasks import console
from tasks.command import command

Printed = pytest.CaptureFixture[str]


def exit_code_of(error: BaseException, **options: object) -> object:
    """Run a command whose body raises `error`, as invoke would."""

    @command()
    def fail(event: str = "", config: str = "", local: bool = False) -> None:
        raise error

    with pytest.raises(SystemExit) as ended:
        fail(Context(), **options)
    return ended.value.code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RampartError("failed"), 1),
        (CloudError("refused", code="Throttling"), 1),
        (AskedWrongly("wrong"), 2),
        (UnknownName("no such"), 2),
        (PermissionError(13, "Permission denied", "/events"), 1),
        (KeyboardInterrupt(), 130),
    ],
)
def test_the_exit_code_tells_failed_work_from_a_wrong_question(error: BaseException, code: int) -> None:
    assert exit_code_of(error) == code


def test_an_error_of_ours_that_is_a_surprise_is_not_hidden() -> None:
    @command()
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail(Context())


def test_message_and_hint_are_lines_of_stderr_without_control_characters(capsys: Printed) -> None:
    exit_code_of(AskedWrongly("first\x1b[2J\n  second", hint="invoke status --event iris"))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == ["error: first", "  second", "hint: invoke status --event iris"]


def test_a_refusal_of_this_machine_names_the_file(capsys: Printed) -> None:
    exit_code_of(PermissionError(13, "Permission denied", "/events"))
    assert "Permission denied: '/events'" in capsys.readouterr().err


def test_a_failed_build_shows_the_end_of_its_log_first(capsys: Printed) -> None:
    exit_code_of(ImageBuildFailed("step KitLoads failed", log_tail=["one", "two"]))
    assert capsys.readouterr().err.splitlines() == ["  | one", "  | two", "error: step KitLoads failed"]


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("build one: invoke build-ami --event mine", "build one: invoke build-ami --event mine --local"),
        ("invoke up --event a-b, then this again", "invoke up --event a-b --local, then this again"),
        ("invoke up --event mine (with --local)", "invoke up --event mine (with --local)"),
        ("start one: invoke local-cloud", "start one: invoke local-cloud"),
        ("look at the network", "look at the network"),
    ],
)
def test_a_hint_is_for_the_cloud_the_command_was_about(capsys: Printed, hint: str, shown: str) -> None:
    exit_code_of(RampartError("failed", hint=hint), local=True)
    assert capsys.readouterr().err.splitlines()[-1] == f"hint: {shown}"
    exit_code_of(RampartError("failed", hint=hint))
    assert capsys.readouterr().err.splitlines()[-1] == f"hint: {hint}"


@pytest.mark.parametrize(
    ("event", "hint", "shown"),
    [
        ("iris", "invoke status --event iris", "invoke status --event iris"),
        ("/srv/a b/iris.yml", "invoke status --event iris", "invoke status --event '/srv/a b/iris.yml'"),
        ("events/iris.yml", "invoke up --event events/iris.yml", "invoke up --event events/iris.yml"),
    ],
)
def test_a_hint_repeats_the_path_of_an_event_file(capsys: Printed, event: str, hint: str, shown: str) -> None:
    exit_code_of(RampartError("failed", hint=hint), event=event)
    assert capsys.readouterr().err.splitlines()[-1] == f"hint: {shown}"


def test_what_to_type_next_is_about_the_same_deployment_and_cloud(capsys: Printed) -> None:
    @command()
    def go(config: str, local: bool) -> None:
        console.next_step("invoke status --event iris")

    go(Context(), config="other.yml", local=True)
    assert capsys.readouterr().err == "next: invoke status --event iris --config other.yml --local\n"


def test_no_option_takes_the_letter_that_asks_for_help() -> None:
    @command()
    def shown(chaos: bool = False, config: str = "") -> None:
        """Say what it does."""

    names = {name for argument in shown.get_arguments() for name in argument.names}
    assert names == {"chaos", "c", "config", "o"}


def test_a_reader_that_has_seen_enough_gets_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        ended = run_alone("print('x' * 1_000_000)", stdout=write)
    finally:
        os.close(write)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_sigterm_cleans_up_as_ctrl_c_does() -> None:
    ended = run_alone(
        "try:", "    os.kill(os.getpid(), signal.SIGTERM)", "    threading.Event().wait(10)",
        "finally:", "    print('cleaned up')",
    )  # fmt: skip
    assert (ended.returncode, ended.stdout, ended.stderr) == (143, "cleaned up\n", "interrupted\n")


def run_alone(
    *lines: str, stdout: int = subprocess.PIPE, environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command with that body in a process of its own, with these variables besides ours."""
    program = "\n".join(
        [
            "import os, signal, threading",
            "from invoke.context import Context",
            "from tasks.command import command",
            "@command()",
            "def talk() -> None:",
            *(f"    {line}" for line in lines),
            "talk(Context())",
        ]
    )
    argv = [sys.executable, "-c", program]
    environ = os.environ | (environ or {})
    return subprocess.run(argv, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=30, check=False, env=environ)


def test_a_body_keeps_its_name_its_words_and_its_options() -> None:
    @command()
    def shown(event: str | None = None, local: bool = False) -> None:
        """Say what it does."""

    assert (shown.name, shown.__doc__) == ("shown", "Say what it does.")
    assert list(inspect.signature(shown.body).parameters) == ["context", "event", "local"]


def test_no_exception_or_log_record_shows_a_secret_or_moves_the_cursor() -> None:
    told = "\\x1b[2Jit is hunter22 of postgresql://me:pw@db/x"
    ended = run_alone(
        "import logging", f"logging.getLogger('clients').warning('{told}', exc_info=ValueError('{told}'))",
        f"thread = threading.Thread(target=lambda: int('{told}'))", "thread.start()", "thread.join()",
        f"raise ZeroDivisionError('{told}')",
        environ={"PGPASSWORD": "hunter22"},
    )  # fmt: skip
    assert ended.returncode == 1
    assert ended.stderr.count("it is *** of postgresql://me:***@db/x") == 4
    for kind in ("ValueError: it is", "ValueError: invalid literal", "ZeroDivisionError: it is"):
        assert kind in ended.stderr
    assert "\x1b" not in ended.stderr


def test_an_error_with_a_hosts_words_shows_no_secret() -> None:
    ended = run_alone(
        "from clients.outputs import failed",
        "raise failed(('psql', 'postgresql://me:pw@db/x'), 1, 'first\\nno\\x1b[2J, AKIAABCDEFGHIJKLMNOP')",
    )
    assert ended.stderr == "error: psql postgresql://me:***@db/x ended with exit code 1: no, ***\n"
