"""A host gets an SSH key of its own before anything lies on it, wherever whoever does that is killed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import CommandTimedOut, HostKeyNotRotated, HostKeyRefused, HostUnreachable
from contracts.remote import CommandResult
from contracts.work import HostAddress, Isolation, Work
from runner.hosts.rotating import MAKE_KEY, Rotation, RotationDoors, key_in, take_key

HERE = Path("/nowhere")
WORK = Work(7, "iris", "team", "s", 1, HERE, HERE, HERE, 60.0)
STRICT = replace(WORK, isolation=Isolation.STRICT)
HOST = HostAddress("i-1", "192.0.2.1", "ubuntu")


def key(number: int) -> str:
    return f"ssh-ed25519 {number:068d}"


LAUNCH_KEY = key(0)


class Killed(BaseException):
    """The dispatcher is killed."""


class Machine:
    """A host with its disk and its sshd, which shows what was on the disk when it last read it."""

    def __init__(self) -> None:
        self.on_disk = self.shown = LAUNCH_KEY
        self.made = 0
        self.next = ""
        self.keeps: bytes | None = None  # why no key can be made
        self.hears_reloads = True
        self.refuses_after_reload = 0
        self.dialled: list[str] = []
        self.done: list[str] = []
        self.open = 0

    def connect(self, host: HostAddress) -> Wire:
        self.dialled.append(host.host_key)
        if host.host_key == self.on_disk != LAUNCH_KEY and self.refuses_after_reload:
            self.refuses_after_reload -= 1
            raise HostUnreachable("connection refused")
        if host.host_key != self.shown:
            raise HostKeyRefused("another key")
        self.open += 1
        return Wire(self)

    def make(self) -> CommandResult:
        self.done.append("make")
        if self.keeps is not None:
            return CommandResult(1, b"", self.keeps)
        if not self.next:
            self.made += 1
            self.next = key(self.made)
        return CommandResult(0, f"{self.next} \n".encode(), b"")

    def take(self, own_key: str) -> CommandResult:
        self.done.append("take")
        if own_key == self.next:
            self.on_disk, self.next = self.next, ""
        if self.on_disk != own_key:
            return CommandResult(1, b"", b"the new key is not there\n")
        if self.hears_reloads:
            self.shown = self.on_disk
        return CommandResult(0, b"", b"")


class Wire:
    """A connection to it, which lasts whatever key is shown to others."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float | None = 60.0) -> CommandResult:
        if tuple(argv) == MAKE_KEY:
            return self._machine.make()
        assert tuple(argv) == take_key(argv[-1])
        return self._machine.take(argv[-1])

    def send(self, argv: Sequence[str], chunks: Any, *, timeout_s: float = 600.0) -> CommandResult:
        raise AssertionError

    def receive(self, argv: Sequence[str], *, timeout_s: float = 600.0) -> AbstractContextManager[Iterator[bytes]]:
        raise AssertionError

    def close(self) -> None:
        self._machine.open -= 1


class Dispatcher:
    """Whoever rotates; what it notes outlives it."""

    def __init__(self, machine: Machine, *, work: Work = WORK) -> None:
        self.machine = machine
        self.work = work
        self.noted = ""
        self.now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
        self.before_note: Callable[[], None] = lambda: None
        self.after_note: Callable[[], None] = lambda: None

    def rotates(self) -> str:
        """Give the key the host is known by from now on."""
        doors = RotationDoors(self.machine.connect, self._note, lambda: self.now, self._sleep)
        rotation = Rotation(self.work, launch_key=LAUNCH_KEY, own_key=self.noted, doors=doors)
        host, result = rotation.settled(lambda host_key: replace(HOST, host_key=host_key), lambda _: "layout")
        assert result == "layout"
        return host.host_key

    def _note(self, own_key: str) -> None:
        self.before_note()
        assert self.machine.shown != own_key  # else whoever comes after a kill here knew nothing of it
        self.noted = own_key
        self.after_note()

    def _sleep(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def killed() -> None:
    raise Killed


def test_a_host_gives_up_its_launchs_key_and_proves_itself_with_its_own_before_it_is_used() -> None:
    machine = Machine()
    assert Dispatcher(machine).rotates() == key(1) == machine.shown
    assert machine.dialled == [LAUNCH_KEY, key(1)]
    assert machine.done == ["make", "take"]
    assert machine.open == 0


@pytest.mark.parametrize("point", ["before_note", "after_note", "in take", "after take"])
def test_whoever_comes_after_a_kill_finds_the_host_and_finishes_what_was_begun(
    point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine()
    first = Dispatcher(machine)
    take = machine.take

    def die(own_key: str) -> CommandResult:
        if point == "after take":
            take(own_key)
        raise Killed

    if hasattr(first, point):
        setattr(first, point, killed)
    else:
        monkeypatch.setattr(machine, "take", die)
    with pytest.raises(Killed):
        first.rotates()
    monkeypatch.undo()
    second = Dispatcher(machine)
    second.noted = first.noted
    assert second.rotates() == key(1) == machine.shown
    assert machine.made == 1
    assert machine.open == 0


def test_a_host_that_has_its_own_key_is_asked_for_nothing_more() -> None:
    machine = Machine()
    dispatcher = Dispatcher(machine)
    dispatcher.rotates()
    machine.done.clear()
    assert dispatcher.rotates() == key(1)
    assert machine.done == []


def test_an_sshd_that_takes_its_time_to_reload_is_waited_for() -> None:
    machine = Machine()
    machine.refuses_after_reload = 3
    assert Dispatcher(machine).rotates() == key(1)


def test_an_adopter_that_comes_while_sshd_reloads_waits_for_the_noted_key() -> None:
    machine = Machine()
    machine.on_disk, machine.shown, machine.refuses_after_reload = key(1), key(1), 0
    dispatcher = Dispatcher(machine)
    dispatcher.noted = key(1)
    answers = iter([HostKeyRefused("the old sshd"), HostKeyRefused("the new one, by now")])
    connect = machine.connect

    def slow(host: HostAddress) -> Wire:
        for refusal in answers:
            raise refusal
        return connect(host)

    machine.connect = slow  # type: ignore[method-assign]
    assert dispatcher.rotates() == key(1)


def test_another_key_at_the_first_answer_is_refused_and_nothing_is_asked() -> None:
    machine = Machine()
    machine.shown = key(66)
    with pytest.raises(HostKeyRefused):
        Dispatcher(machine).rotates()
    assert machine.done == []
    assert len(machine.dialled) == 1


def test_who_has_neither_the_noted_key_nor_the_launchs_is_refused() -> None:
    machine = Machine()
    machine.shown = key(66)
    dispatcher = Dispatcher(machine)
    dispatcher.noted = key(1)
    with pytest.raises(HostKeyRefused):
        dispatcher.rotates()
    assert machine.done == []


def test_who_has_the_launchs_key_alone_and_says_that_it_took_the_new_one_is_refused_where_isolation_is_strict() -> None:
    """As another host of the same launch could, whose submission has read its user data."""
    machine = Machine()
    machine.hears_reloads = False
    with pytest.raises(HostKeyNotRotated, match="goes on showing the old one"):
        Dispatcher(machine, work=STRICT).rotates()


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"Sorry\nsudo: a password is required\n", "sudo: a password is required"),
        (b"sh: 4: ssh-keygen: not found\n", "sh: 4: ssh-keygen: not found"),
        (b"\x1b[2J\n", "[2J"),
        (b"", "exit code 1"),
    ],
)
def test_a_host_that_cannot_make_a_key_is_warned_of_once_and_used(
    said: bytes, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine()
    machine.keeps = said
    dispatcher = Dispatcher(machine)
    assert dispatcher.rotates() == LAUNCH_KEY
    assert caplog.messages == [f"i-1 keeps the SSH host key that is in its user data: {told}"]
    assert [record.action for record in caplog.records] == ["host-key-not-rotated"]  # type: ignore[attr-defined]
    assert dispatcher.noted == ""
    assert machine.open == 0


def test_an_sshd_that_never_shows_the_new_key_is_warned_of_and_used_with_the_old_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    machine = Machine()
    machine.hears_reloads = False
    assert Dispatcher(machine).rotates() == LAUNCH_KEY
    assert "its sshd goes on showing the old one" in caplog.text


def test_who_shows_neither_key_after_the_switch_is_refused() -> None:
    machine = Machine()
    dispatcher = Dispatcher(machine)
    take = machine.take

    def taken_over(own_key: str) -> CommandResult:
        result = take(own_key)
        machine.shown = key(66)
        return result

    machine.take = taken_over  # type: ignore[method-assign]
    with pytest.raises(HostKeyRefused):
        dispatcher.rotates()


def test_a_host_that_keeps_its_launchs_key_is_refused_where_isolation_is_strict() -> None:
    machine = Machine()
    machine.keeps = b"sudo: a password is required\n"
    with pytest.raises(HostKeyNotRotated, match=r"a password is required.*worker\.isolation"):
        Dispatcher(machine, work=STRICT).rotates()
    assert machine.open == 0


def test_a_host_that_falls_silent_in_between_is_unreachable_and_may_be_asked_again() -> None:
    machine = Machine()
    dispatcher = Dispatcher(machine)
    make = machine.make

    def silent() -> CommandResult:
        raise CommandTimedOut("sh did not end within 60 s")

    machine.make = silent  # type: ignore[method-assign]
    with pytest.raises(HostUnreachable):
        dispatcher.rotates()
    assert machine.open == 0
    machine.make = make  # type: ignore[method-assign]
    assert dispatcher.rotates() == key(1)


@pytest.mark.parametrize(
    "said", ["", "ssh-rsa AAAA", "ssh-ed25519 short", f"{key(1)}; rm -rf /", f"{key(1)}\n{key(2)}", f"x {key(1)}"]
)
def test_what_is_no_public_key_is_never_noted(said: str) -> None:
    assert key_in(said) is None
