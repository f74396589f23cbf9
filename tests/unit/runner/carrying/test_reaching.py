"""A silent host is waited for, a host that has ended is not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts.errors import CloudError, HostGone, HostKeyRefused, HostUnreachable, SpotReclaimed
from contracts.remote import CommandResult
from contracts.work import Claimed, HostAddress, HostLayout, Provisioned, Work
from runner.carrying.patience import Patience
from runner.carrying.reaching import Reach
from runner.interruption import Interrupted, Interruption
from runner.ports import Transport

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HERE = Path("/nowhere")
WORK = Work(1, "iris", "blue", "trees", 1, HERE, HERE, HERE, 60.0)
HOST = Provisioned(Claimed(WORK, START), HostAddress("i-1", "127.9.9.9", "ubuntu"), HostLayout("/k", "/k", "/p", "/r"))


class Wire:
    """A connection nothing is asked of."""

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout_s: float | None = 60.0) -> CommandResult:
        raise AssertionError

    def send(self, argv: Sequence[str], chunks: Iterable[bytes], *, timeout_s: float = 600.0) -> CommandResult:
        raise AssertionError

    def receive(self, argv: Sequence[str], *, timeout_s: float = 600.0) -> AbstractContextManager[Iterator[bytes]]:
        raise AssertionError

    def close(self) -> None:
        pass


class OneHost:
    """A host that answers as it is told; each try to connect takes `takes_s` of the clock."""

    def __init__(self, answers: Iterator[Exception | None], *, takes_s: float = 15.0) -> None:
        self._answers = answers
        self._takes = timedelta(seconds=takes_s)
        self.now = START
        self.tries = 0
        self.gone: Callable[[], bool] = lambda: False

    def acquire(self, claimed: Claimed, interruption: Interruption | None = None) -> Provisioned:
        raise AssertionError

    def connect(self, provisioned: Provisioned) -> Transport:
        self.tries += 1
        self.now += self._takes
        answer = next(self._answers)
        if answer is not None:
            raise answer
        return Wire()

    def is_gone(self, provisioned: Provisioned) -> bool:
        return self.gone()

    def release(self, provisioned: Provisioned) -> None:
        raise AssertionError


def silence() -> Iterator[Exception | None]:
    while True:
        yield HostUnreachable("no answer")


def reach(host: OneHost, interruption: Interruption | None = None, *, silence_s: float = 600, breaks: int = 3) -> Reach:
    patience = Patience(silence_s=silence_s, breaks=breaks, first_pause_s=0.0, longest_pause_s=0.0)
    return Reach(host, interruption or Interruption(), lambda: host.now, patience)


def break_off(transport: Transport) -> None:
    raise HostUnreachable("the connection has ended")


def test_a_host_that_was_silent_for_a_while_is_gone_on_with() -> None:
    answers: list[Exception | None] = [HostUnreachable("frozen")] * 3 + [None]
    host = OneHost(iter(answers))
    assert reach(host).act(HOST, lambda _: "collected") == "collected"
    assert host.tries == 4


def test_a_host_that_stays_silent_is_given_up_after_its_time_and_no_sooner() -> None:
    host = OneHost(silence(), takes_s=30)
    with pytest.raises(HostUnreachable, match="no answer"):
        reach(host, silence_s=600).act(HOST, break_off)
    assert host.tries == 21  # the silence began with the end of the first try


def test_a_host_that_has_ended_is_lost_at_once() -> None:
    host = OneHost(silence())
    host.gone = lambda: True
    with pytest.raises(HostGone, match="i-1 ended"):
        reach(host).act(HOST, break_off)
    assert host.tries == 1


def test_why_a_host_is_gone_is_told_where_it_is_known() -> None:
    host = OneHost(silence())

    def taken_back() -> bool:
        raise SpotReclaimed("EC2 took i-1 back")

    host.gone = taken_back
    with pytest.raises(SpotReclaimed):
        reach(host).act(HOST, break_off)


def test_a_cloud_that_does_not_answer_says_nothing_about_the_host() -> None:
    host = OneHost(iter([HostUnreachable("frozen"), None]))

    def down() -> bool:
        raise CloudError("the API is down")

    host.gone = down
    assert reach(host).act(HOST, lambda _: 1) == 1


def test_a_host_that_answers_and_breaks_off_each_time_is_given_up_after_some_times() -> None:
    host = OneHost(iter([None] * 9))
    with pytest.raises(HostUnreachable, match="has ended"):
        reach(host, breaks=3).act(HOST, break_off)
    assert host.tries == 4


def test_a_wrong_host_key_is_no_silence() -> None:
    host = OneHost(iter([HostKeyRefused("another key")]))
    with pytest.raises(HostKeyRefused):
        reach(host).act(HOST, break_off)


def test_who_asks_to_stop_ends_the_waiting() -> None:
    host, interruption = OneHost(silence()), Interruption()

    def ask() -> bool:
        interruption.ask()
        return False

    host.gone = ask
    with pytest.raises(Interrupted):
        reach(host, interruption).act(HOST, break_off)
