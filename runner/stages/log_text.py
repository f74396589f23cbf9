"""Clean a stranger's log for people to read."""

from __future__ import annotations

import re

MAX_CHARACTERS = 2 * 1024 * 1024

_TERMINAL = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # operating system commands: titles, links
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # device control and other strings
    r"|[\x1b\x9b]\[?[0-?]*[ -/]*[@-~]"  # cursor movements and colours
)
_LINE_ENDS = re.compile(r"\r\n?|\x85|\u2028|\u2029|\x0b|\x0c")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)


def clean(data: bytes) -> str:
    """Text of the log: undecodable bytes replaced, terminal sequences and invisible characters gone, capped."""
    text = _TERMINAL.sub("", data.decode("utf-8", "replace"))
    text = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))
    if len(text) <= MAX_CHARACTERS:
        return text
    half = MAX_CHARACTERS // 2
    return f"{text[:half]}\n[... {len(text) - MAX_CHARACTERS} characters left out ...]\n{text[-half:]}"
