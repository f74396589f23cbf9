"""Tell a script's own output from the mark that ends it."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator

from contracts.errors import CommandFailed

_LONGEST_CODE = 16


def new_mark() -> bytes:
    """Give a mark that no script can guess, and that begins with a byte which text does not hold."""
    return b"\x1e" + secrets.token_hex(16).encode()


class Ending:
    """Passes a stream's chunks on until its mark; `code` is then what stood behind it, None where there was none."""

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self.code: str | None = None

    def passed(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Give the output without the mark; raises CommandFailed where the stream broke off."""
        rest = b""
        iterator = iter(chunks)
        for chunk in iterator:
            rest += chunk
            before, mark, after = rest.partition(self._mark)
            if mark:
                yield before
                self.code = _line(after, iterator)
                return
            held = _begun(rest, self._mark)
            yield rest[: len(rest) - held]
            rest = rest[len(rest) - held :]
        yield rest


def _begun(data: bytes, mark: bytes) -> int:
    """How many of the last bytes may be the mark's beginning."""
    start = data.rfind(mark[:1], max(0, len(data) - len(mark) + 1))
    while start >= 0:
        if mark.startswith(data[start:]):
            return len(data) - start
        start = data.rfind(mark[:1], max(0, len(data) - len(mark) + 1), start)
    return 0


def _line(begun: bytes, chunks: Iterator[bytes]) -> str | None:
    while b"\n" not in begun and len(begun) < _LONGEST_CODE:
        try:
            begun += next(chunks, b"\n")
        except CommandFailed:
            return None
    return begun.split(b"\n", 1)[0].decode("ascii", "replace").strip() or None
