"""Cut a stream of bytes into log lines."""

from __future__ import annotations

import re

_LONGEST = 4_000
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class Lines:
    """Collects chunks and gives whole lines, long ones in pieces.

    Undecodable bytes are replaced, control characters dropped.
    """

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        """Take a chunk; give the lines that are whole now. A carriage return ends a line too."""
        *whole, self._rest = (self._rest + chunk).replace(b"\r", b"\n").split(b"\n")
        *begun, self._rest = _pieces(self._rest)
        pieces = [piece for raw in whole for piece in _pieces(raw)] + begun
        return [line for piece in pieces if (line := _clean(piece))]

    def end(self) -> list[str]:
        """Give the last line, which no newline ended."""
        last, self._rest = _clean(self._rest), b""
        return [last] if last else []


def _pieces(raw: bytes) -> list[bytes]:
    return [raw[start : start + _LONGEST] for start in range(0, len(raw), _LONGEST)] or [b""]


def _clean(raw: bytes) -> str:
    return _CONTROL.sub("", raw.decode("utf-8", "replace")).rstrip()
