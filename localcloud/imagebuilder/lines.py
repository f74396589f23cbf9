"""Cut a stream of bytes into log lines."""

from __future__ import annotations

import re

_LONGEST = 4_000
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class Lines:
    """Collects chunks and gives whole lines: long ones cut, undecodable bytes replaced, control characters dropped."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        """Take a chunk; give the lines that are whole now. A carriage return ends a line too."""
        *whole, self._rest = (self._rest + chunk).replace(b"\r", b"\n").split(b"\n")
        while len(self._rest) > _LONGEST:
            whole.append(self._rest[:_LONGEST])
            self._rest = self._rest[_LONGEST:]
        return [line for raw in whole if (line := _clean(raw))]

    def end(self) -> list[str]:
        """Give the last line, which no newline ended."""
        last, self._rest = _clean(self._rest), b""
        return [last] if last else []


def _clean(raw: bytes) -> str:
    text = _CONTROL.sub("", raw[:_LONGEST].decode("utf-8", "replace")).rstrip()
    return f"{text} [...]" if len(raw) > _LONGEST else text
