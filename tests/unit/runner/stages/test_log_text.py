"""A log is shown as text, whatever its writer put into it."""

from __future__ import annotations

from pathlib import Path

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
        ("so\u00adft\u2064".encode(), "soft"),
        (b"\x1b]0;no end\nthe next line", "\nthe next line"),
        (b"AK\x00IA\x1b[0mID", "AKIAID"),
    ],
)
def test_control_sequences_and_invisible_characters_go(raw: bytes, text: str) -> None:
    assert log_text.clean(raw) == text


def test_of_an_overlong_log_the_two_ends_are_read_and_no_word_is_cut(tmp_path: Path) -> None:
    words = b"word " * (2**20)
    (tmp_path / "log").write_bytes(b"head " + words + b"tail")
    data = log_text.read(tmp_path / "log")
    assert log_text.MAX_BYTES * 0.99 < len(data) <= log_text.MAX_BYTES + 100
    head, _, rest = data.decode().partition("\n[... ")
    left_out, _, tail = rest.partition(" bytes left out ...]\n")
    assert int(left_out) == len(words) + 9 - len(head) - len(tail)
    assert set(head.split()) == {"head", "word"}
    assert set(tail.split()) == {"word", "tail"}


def test_an_overlong_word_loses_what_may_be_half_a_secret(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"x" * 2**20 + b"AKIA" + b"x" * 2**21)
    assert b"AKIA" not in log_text.read(tmp_path / "log")


def test_logs_that_are_too_long_together_keep_the_ends_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_text, "MAX_BYTES", 1000)
    assert log_text.joined([b"one\n", b"two\n"]) == b"one\ntwo\n"
    long = b"begun " + b"x " * 500 + b"ended\n"
    found = log_text.joined([long, b"short\n", long])
    assert (found.count(b"begun"), found.count(b"ended"), found.count(b"short")) == (2, 2, 1)
    assert found.count(b"bytes left out") == 2
    assert len(found) < 1100


def test_what_is_no_file_is_an_empty_log(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to("secret")
    assert [log_text.read(tmp_path / name) for name in ("missing", "link", ".")] == [b"", b"", b""]


@given(st.text(), st.integers(128, 300))
def test_a_shortened_text_takes_no_more_than_it_may(text: str, limit: int) -> None:
    shown = log_text.shortened(text * 20, limit)
    assert len(shown.encode("utf-8", "replace")) <= limit
    assert shown == text * 20 or "bytes left out" in shown


@given(st.binary())
def test_whatever_comes_is_printable_text(raw: bytes) -> None:
    assert all(
        character.isprintable() or character in "\n\t " or ord(character) > 0xA0 for character in log_text.clean(raw)
    )
