"""A log is followed line by line, clean and bounded, across connections."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from clients.memory import Call, MemoryHost
from contracts.errors import HostUnreachable
from contracts.redaction import Redactor
from contracts.work import Claimed, HostAddress, HostLayout, Provisioned, Work
from runner.telling import following
from runner.telling.following import LiveLog

PYTHON = "/env/bin/python"
AT = datetime(2026, 11, 20, tzinfo=UTC)


def live_log() -> LiveLog:
    work = Work(1, "iris", "red", "one", 1, Path("/s"), Path("/l"), Path("/p"), timeout_s=60)
    layout = HostLayout("/kit", "/kit", PYTHON, "/ramp-test")
    return LiveLog(Provisioned(Claimed(work, AT), HostAddress("i-1", "h", "u"), layout))


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
    assert rest.calls[0][-2:] == (".rampart/jobs/iris-1-1", "10")


def test_a_host_that_sends_more_than_a_log_may_hold_is_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "MAX_BYTES", 100)
    lines = list(live_log().lines(host_that_writes(*[b"x" * 49 + b"\n"] * 50).connect()))
    assert len(lines) == 4
    assert "the rest is not shown" in lines[-1]


def test_of_a_line_without_an_end_the_beginning_is_shown_once_and_up_to_a_word() -> None:
    words = b"word " * 14_000
    pieces = (words + b"AKIAABCDEFGH", b"IJKLMNOP", words, words, b"end\nnext\n")
    first, second = live_log().lines(host_that_writes(*pieces).connect())
    assert first.startswith("word word")
    assert first.endswith("word [... the rest of the line is not shown while it is written ...]")
    assert "AKIA" not in first
    assert second == "next"


def test_a_line_end_of_two_characters_is_one_wherever_the_stream_is_cut() -> None:
    assert list(live_log().lines(host_that_writes(b"a\r", b"\nb\r", b"c\r").connect())) == ["a", "b", "c"]


def test_every_line_a_reader_would_see_is_one() -> None:
    assert list(live_log().lines(host_that_writes("a\x0bb\u2028c\n".encode()).connect())) == ["a", "b", "c"]


def test_secrets_are_hidden_however_the_stream_is_cut() -> None:
    text = (
        b"pw hunter22\n-----BEGIN PRIVATE KEY-----\n"
        + b"A" * 64
        + b"\n-----END PRIVATE KEY-----\nAKIAABCDEFGHIJKLMNOP\n"
    )
    for size in (1, 7, 30, 1000):
        log = LiveLog(live_log().provisioned, Redactor(["hunter22"]))
        pieces = [text[i : i + size] for i in range(0, len(text), size)]
        assert list(log.lines(host_that_writes(*pieces).connect())) == ["pw ***", "***", "***", "***", "***"]
