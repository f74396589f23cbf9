"""Whether the owner of a lease has died is said only where that is sure."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from runner.process_name import is_dead, own_name

TELL = "from runner.process_name import own_name; print(own_name(), flush=True); input()"


@pytest.fixture
def needs_proc() -> None:
    if own_name().endswith("::"):
        pytest.skip("this system has no /proc")


def test_a_process_that_lives_is_not_dead() -> None:
    assert not is_dead(own_name())


def test_a_killed_process_is_dead(needs_proc: None) -> None:
    child = subprocess.Popen([sys.executable, "-c", TELL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout is not None
        name = child.stdout.readline().strip()
        assert not is_dead(name)
        child.kill()
        child.stdout.read()  # it closes its files before it is a zombie
        child.wait()
    assert is_dead(name)


def test_a_process_id_that_somebody_else_has_by_now_names_a_dead_process(needs_proc: None) -> None:
    host, pid, _, boot, namespace = own_name().split(":")
    assert is_dead(":".join((host, pid, "1", boot, namespace)))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "bench",
        f"{socket.gethostname()}:999999999",
        f"{socket.gethostname()}:999999999:1::",
        f"{socket.gethostname()}:999999999:1:another-boot:4026531836",
        f"{socket.gethostname()}:none:1:2:3",
    ],
)
def test_what_cannot_be_judged_may_be_alive(name: str) -> None:
    assert not is_dead(name)


def test_a_process_of_another_machine_or_container_may_be_alive(needs_proc: None) -> None:
    host, _, started, boot, namespace = own_name().split(":")
    assert is_dead(":".join((host, "999999999", started, boot, namespace)))
    assert not is_dead(":".join(("elsewhere", "999999999", started, boot, namespace)))
    assert not is_dead(":".join((host, "999999999", started, boot, "1")))
