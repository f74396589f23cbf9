"""A script's output is its own to the last byte, whatever it prints."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from hypothesis import assume, given
from hypothesis import strategies as st

from contracts.errors import CommandFailed
from imagebuilder.running import streams

MARK = streams.new_mark()


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


@given(
    st.lists(st.binary(max_size=20) | st.sampled_from([MARK[:1], MARK[:9], MARK[:-1], MARK[1:]])).map(b"".join),
    st.lists(st.integers(0, 200)),
)
def test_what_stands_before_the_mark_comes_through_whatever_the_chunks(output: bytes, cuts: list[int]) -> None:
    assume(MARK not in output)
    ending = streams.Ending(MARK)
    assert b"".join(ending.passed(pieces(output + MARK + b" 194\n", cuts))) == output
    assert ending.code == "194"


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)))
def test_a_stream_without_the_mark_is_passed_on_and_has_no_code(output: bytes, cuts: list[int]) -> None:
    ending = streams.Ending(MARK)
    assert b"".join(ending.passed(pieces(output, cuts))) == output
    assert ending.code is None


def test_a_line_is_passed_on_before_the_next_one_comes() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"first\n"
        raise AssertionError("asked for more than it needed")

    assert next(streams.Ending(MARK).passed(chunks())) == b"first\n"


def test_what_a_daemon_writes_after_the_mark_is_not_waited_for() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"out" + MARK + b" 0\nlater"
        raise AssertionError("asked for more than it needed")

    ending = streams.Ending(MARK)
    assert list(ending.passed(chunks())) == [b"out"]
    assert ending.code == "0"


def test_a_stream_that_breaks_off_behind_the_mark_has_no_code() -> None:
    def chunks() -> Iterator[bytes]:
        yield MARK
        raise CommandFailed("cat ended with exit code 143", exit_code=143)

    ending = streams.Ending(MARK)
    assert b"".join(ending.passed(chunks())) == b""
    assert ending.code is None


def test_no_two_marks_are_the_same() -> None:
    assert len({streams.new_mark() for _ in range(100)}) == 100
