"""A log is followed line by line, clean and bounded, across connections."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.memory import Call, MemoryHost
from contracts.errors import HostUnreachable
from contracts.work import Claimed, HostAddress, HostLayout, Launched, Provisioned, Pushed, Work
from runner.telling import following
from runner.telling.following import LiveLog

PYTHON = "/env/bin/python"
AT = datetime(2026, 11, 20, tzinfo=UTC)


def live_log() -> LiveLog:
    work = Work(1, "iris", "red", "one", 1, Path("/s"), Path("/l"), Path("/p"), timeout_s=60)
    layout = HostLayout("/kit", "/kit", PYTHON, "/ramp-test")
    return LiveLog(Launched(Pushed(Provisioned(Claimed(work, AT), HostAddress("i-1", "h", "u"), layout), "/job"), AT))


def host_that_writes(*pieces: bytes) -> MemoryHost:
    def follower(call: Call) -> int:
        for piece in pieces:
            call.out(piece)
        return 0

    return MemoryHost({PYTHON: follower})


def test_lines_come_whole_and_clean_however_they_arrive() -> None:
    host = host_that_writes(b"fold ", b"0\nfold \x1b[31m1\x1b[0m\r50 %\r", b"100 %\nno end")
    assert list(live_log().lines(host.connect())) == ["fold 0", "fold 1", "50 %", "100 %", "no end"]


def test_a_new_connection_goes_on_where_the_last_one_broke_off() -> None:
    def breaks_off(call: Call) -> int:
        call.out(b"fold 0\nfol")
        raise HostUnreachable("lost")

    log, host = live_log(), MemoryHost({PYTHON: breaks_off})
    lines = log.lines(host.connect())
    assert next(lines) == "fold 0"
    with pytest.raises(HostUnreachable):
        next(lines)
    rest = host_that_writes(b"d 1\n")
    assert list(log.lines(rest.connect())) == ["fold 1"]
    assert rest.calls[0][-2:] == ("/job", "10")


def test_a_host_that_sends_more_than_a_log_may_hold_is_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MAX_BYTES", 100)
    lines = list(live_log().lines(host_that_writes(*[b"x" * 49 + b"\n"] * 50).connect()))
    assert len(lines) == 4
    assert "the rest is not shown" in lines[-1]


def test_a_line_without_an_end_is_shown_in_pieces() -> None:
    lines = list(live_log().lines(host_that_writes(b"x" * 70_000, b"y\n").connect()))
    assert [len(line) for line in lines] == [70_000, 1]
