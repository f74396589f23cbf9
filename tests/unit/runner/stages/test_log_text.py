"""A log is shown as text, whatever its writer put into it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.stages import log_text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain\n\ttext\n", "plain\n\ttext\n"),
        ("naïve ✓ 数".encode(), "naïve ✓ 数"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"a\0b", "ab"),
        (b"\x1b[31mred\x1b[0m", "red"),
        (b"\x1b[2J\x1b[1;1Hclean", "clean"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"\x1bPpayload\x1b\\text", "text"),
        (b"10%\r20%\r\ndone", "10%\n20%\ndone"),
        ("\u202egnp.exe".encode(), "gnp.exe"),
        ("a\u200bb\ufeff".encode(), "ab"),
        (b"\x08\x08\x7f", ""),
    ],
)
def test_control_sequences_and_invisible_characters_go(raw: bytes, text: str) -> None:
    assert log_text.clean(raw) == text


def test_an_overlong_log_keeps_its_head_and_its_tail() -> None:
    text = log_text.clean(b"head" + b"x" * 3 * 1024 * 1024 + b"tail")
    assert text.startswith("headx")
    assert text.endswith("xtail")
    assert "[... 1048584 characters left out ...]" in text


@given(st.binary())
def test_whatever_comes_is_printable_text(raw: bytes) -> None:
    assert all(
        character.isprintable() or character in "\n\t " or ord(character) > 0xA0 for character in log_text.clean(raw)
    )
