"""Output is collected up to a bound."""

from __future__ import annotations

import pytest

from clients.outputs import Collected, Stream, Tail, failed, named
from contracts.errors import CommandFailed


def test_what_is_within_the_bound_is_kept_by_stream() -> None:
    collected = Collected(["cat"], max_bytes=8)
    collected.add(Stream.OUT, b"abc")
    collected.add(Stream.ERR, b"xy")
    collected.add(Stream.OUT, b"def")
    assert (collected.bytes_of(Stream.OUT), collected.bytes_of(Stream.ERR)) == (b"abcdef", b"xy")


def test_what_passes_the_bound_is_refused() -> None:
    collected = Collected(["cat", "big file"], max_bytes=8)
    collected.add(Stream.OUT, b"12345678")
    with pytest.raises(CommandFailed, match="cat 'big file' wrote more than 8 bytes"):
        collected.add(Stream.ERR, b"9")


def test_a_tail_keeps_the_end_only() -> None:
    tail = Tail()
    for _ in range(1000):
        tail.add(b"0123456789")
    tail.add(b" the end\n")
    assert len(tail.text) < 4100
    assert tail.text.endswith("0123456789 the end")


def test_a_failed_command_says_its_last_line() -> None:
    error = failed(["tar", "-x"], 2, "first\nno space left")
    assert str(error) == "tar -x ended with exit code 2: no space left"
    assert error.output_tail == "first\nno space left"


def test_a_long_command_line_is_shortened() -> None:
    assert len(named(["echo", "x" * 1000])) == 120
