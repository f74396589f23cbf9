"""Turn files of this machine into a tar stream."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import SubmissionInvalid

_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Entry:
    """One regular file to send: its name in the archive, where it is here, and its size when it was looked at."""

    name: str
    source: Path
    size_bytes: int


def stream(entries: Iterable[Entry]) -> Iterator[bytes]:
    """The archive, piece by piece; owners, times and modes of this machine stay here.

    Raises SubmissionInvalid when a file cannot be read or shrinks meanwhile.
    """
    for entry in entries:
        header = tarfile.TarInfo(entry.name)
        header.size = entry.size_bytes
        header.mode = 0o600
        yield header.tobuf(tarfile.PAX_FORMAT)
        yield from _content(entry)
        yield bytes(-entry.size_bytes % tarfile.BLOCKSIZE)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _content(entry: Entry) -> Iterator[bytes]:
    left = entry.size_bytes
    try:
        with os.fdopen(os.open(entry.source, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            while left and (chunk := file.read(min(left, _CHUNK_BYTES))):
                left -= len(chunk)
                yield chunk
    except OSError as error:
        raise SubmissionInvalid(f"{entry.source} cannot be read: {error.strerror}", hint="submit it again") from error
    if left:
        raise SubmissionInvalid(f"{entry.source} became shorter while it was sent", hint="send it again")
