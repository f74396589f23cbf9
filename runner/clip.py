"""Shorten a long text, keeping its beginning, its end."""

from __future__ import annotations


def clipped(text: str, *, head: int, tail: int) -> str:
    """Give a text of at most `head` + `tail` characters and a line that says how many were left out."""
    left_out = len(text) - head - tail
    if left_out <= 0:
        return text
    return f"{text[:head]}\n... {left_out} characters left out ...\n{text[-tail:]}"
