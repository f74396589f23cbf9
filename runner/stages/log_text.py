"""Make a stranger's log fit for people to read."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

MAX_BYTES = 2 * 2**20
"""Of a longer log the two ends are kept."""

_WORD_BYTES = 1024  # where a log is cut, this much is given up rather than a word be cut in two
_LEFT_OUT = "\n[... %d bytes left out ...]\n"

_TERMINAL = re.compile(
    r"\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # operating system commands: titles, links
    r"|\x1b[PX^_][^\x1b\n]*(?:\x1b\\)?"  # device control and other strings
    r"|[\x1b\x9b]\[?[0-?]*[ -/]*[@-~]"  # cursor movements and colours
)
_LINE_ENDS = re.compile(r"\r\n?|\x85|\u2028|\u2029|\x0b|\x0c")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    r"\U000e0000-\U000e0fff]"
)


def plain(text: str) -> str:
    """Give a text without terminal sequences and invisible characters; every line end is a line feed."""
    return _INVISIBLE.sub("", _TERMINAL.sub("", _LINE_ENDS.sub("\n", text)))


def clean(data: bytes) -> str:
    """Give the text of a log, undecodable bytes replaced."""
    return plain(data.decode("utf-8", "replace"))


def read(path: Path) -> bytes:
    """Read a log, of a long one the two ends, cut between words; a missing one, or what is no file, is empty."""
    if path.is_symlink() or not path.is_file():
        return b""
    with path.open("rb") as file:
        return _two_ends(file, path.stat().st_size, MAX_BYTES)


def joined(logs: Sequence[bytes]) -> bytes:
    """Put logs one after the other; where that is too long, of each long one the two ends."""
    if sum(map(len, logs)) <= MAX_BYTES:
        return b"".join(logs)
    return b"".join(_two_ends(io.BytesIO(log), len(log), MAX_BYTES // len(logs)) for log in logs)


def shortened(text: str, max_bytes: int) -> str:
    """Give a text that takes no more than `max_bytes`, 128 or more, in UTF-8: its beginning and its end."""
    data = text.encode("utf-8", "replace")
    if len(data) <= max_bytes:
        return text
    half = (max_bytes - len(_LEFT_OUT % len(data))) // 2
    head, tail = (part.decode("utf-8", "ignore") for part in (data[:half], data[-half:]))
    return head + _LEFT_OUT % (len(data) - 2 * half) + tail


def _two_ends(file: BinaryIO, size: int, most: int) -> bytes:
    if size <= most:
        return file.read(most)
    head = cut_back(file.read(most // 2))
    file.seek(size - most // 2)
    tail = cut_back(file.read(most // 2)[::-1])[::-1]
    return head + (_LEFT_OUT % (size - len(head) - len(tail))).encode("ascii") + tail


def cut_back(data: bytes) -> bytes:
    """Leave out the word at the end: half of a secret would not be known for one."""
    end = max(data.rfind(blank, len(data) - _WORD_BYTES) for blank in (b" ", b"\n", b"\t"))
    return data[: end if end >= 0 else len(data) - _WORD_BYTES]
