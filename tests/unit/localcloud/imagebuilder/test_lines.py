"""Output becomes log lines whatever its bytes."""

from __future__ import annotations

import pytest

from localcloud.imagebuilder.lines import Lines


def test_lines_are_given_when_they_are_whole() -> None:
    lines = Lines()
    assert lines.feed(b"one\ntw") == ["one"]
    assert lines.feed(b"o\n\nthree") == ["two"]
    assert lines.end() == ["three"]
    assert lines.end() == []


@pytest.mark.parametrize("size", [10_003, 4_000, 999])
def test_a_long_line_is_cut_into_pieces_however_it_comes(size: int) -> None:
    lines, text = Lines(), b"x" * 10_000 + b"\nshort\n"
    cut = [line for start in range(0, len(text), size) for line in lines.feed(text[start : start + size])]
    assert [len(line) for line in cut] == [4000, 4000, 2000, 5]


def test_a_stream_without_newlines_does_not_pile_up() -> None:
    lines = Lines()
    assert sum(len(lines.feed(b"y" * 1_000)) for _ in range(100)) >= 24


def test_binary_bytes_are_replaced_and_control_characters_dropped() -> None:
    assert Lines().feed(b"\xff\x00\x1b[31mred\x1b[0m\tok\x07\n") == ["\N{REPLACEMENT CHARACTER}red\tok"]


def test_a_progress_bar_becomes_its_stages() -> None:
    assert Lines().feed(b"10%\r20%\r\n") == ["10%", "20%"]
