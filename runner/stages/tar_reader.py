"""Write the regular files of a stranger's tar stream below one folder, within limits."""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from contracts.errors import TransferRefused

_BLOCK = tarfile.BLOCKSIZE
_UNNAMEABLE = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ})  # names this file system does not take
_SHOWN = 80
_HEADER_LIKE = {tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE}
_FILES = {tarfile.REGTYPE, tarfile.AREGTYPE}


@dataclass(frozen=True, slots=True)
class Limits:
    """What is accepted from a host; beyond it the whole transfer is refused.

    `members` bounds the headers read as well as the files and folders made.
    """

    members: int = 10_000
    file_bytes: int = 1024**3
    total_bytes: int = 2 * 1024**3
    name_bytes: int = 255
    depth: int = 8
    extension_bytes: int = 8 * 1024


def unpack(chunks: Iterable[bytes], folder: Path, limits: Limits) -> None:
    """Write what the archive holds into `folder`, which must exist, be empty and be ours alone.

    Directories and regular files only: a link, a device, an absolute or climbing path, a name that comes twice, a
    damaged or truncated archive raises TransferRefused. What came before the fault stays in the folder. Nothing is
    synchronised with the disk.
    """
    reader = _Reader(chunks)
    taken = _Taken(folder, limits)
    name: str | None = None
    while header := _next_header(reader):
        taken.count()
        if header.type in _HEADER_LIKE:
            if header.size > limits.extension_bytes:
                raise TransferRefused("the host sent an archive with an overlong header")
            extension = b"".join(reader.content(header.size))
            extended = _extended_name(header.type, extension)
            name = name if extended is None else extended
            continue
        member = name if name is not None else header.name
        name = None
        if header.type == tarfile.DIRTYPE:
            taken.directory(member)
        elif header.type in _FILES:
            taken.file(member, header.size, reader)
        else:
            raise TransferRefused(f"the host sent {_shown(member)}, which is neither a regular file nor a folder")
    reader.drain(_BLOCK * 64)


class _Reader:
    """The archive as a run of bytes, of which no more is held than one piece."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = memoryview(b"")

    def exactly(self, size: int) -> bytes:
        """The next `size` bytes."""
        return b"".join(self._pieces(size))

    def content(self, size: int) -> Iterator[memoryview]:
        """A member's content and, unseen, its padding."""
        yield from self._pieces(size)
        self.exactly(-size % _BLOCK)

    def drain(self, limit: int) -> None:
        """Read to the end of what is sent, so that the sender's exit code is heard."""
        for chunk in self._chunks:
            limit -= len(chunk)
            if limit < 0:
                raise TransferRefused("the host sent data behind the archive's end")

    def _pieces(self, size: int) -> Iterator[memoryview]:
        while size:
            if not self._held:
                chunk = next(self._chunks, None)
                if chunk is None:
                    raise TransferRefused("the host sent an archive that ends too early")
                self._held = memoryview(chunk)
            piece, self._held = self._held[:size], self._held[size:]
            size -= len(piece)
            yield piece


class _Taken:
    """The folder that is filled, and what of the limits is used up."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._headers = 0
        self._members = 0
        self._total_bytes = 0
        self._made = 0

    def count(self) -> None:
        """Count one header, of whatever kind."""
        self._headers += 1
        if self._headers > 2 * self._limits.members:
            raise TransferRefused(f"the host sent more than {self._limits.members} files")

    def directory(self, name: str) -> None:
        """Make a folder; the archive's own root is the folder we have."""
        parts = self._admit(name, 0)
        if parts:
            self._make(parts)

    def file(self, name: str, size: int, reader: _Reader) -> None:
        """Write one file that did not exist before."""
        parts = self._admit(name, size)
        if not parts:
            raise TransferRefused("the host sent a file without a name")
        self._make(parts[:-1])
        self._count_made()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self._folder.joinpath(*parts), flags, 0o600)
        except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
            raise TransferRefused(f"the host sent {_shown(name)} twice") from error
        except OSError as error:
            raise _refused(name, error) from error
        with os.fdopen(descriptor, "wb") as file:
            for piece in reader.content(size):
                file.write(piece)

    def _admit(self, name: str, size: int) -> list[str]:
        self._members += 1
        self._total_bytes += size
        if self._members > self._limits.members:
            raise TransferRefused(f"the host sent more than {self._limits.members} files")
        if size > self._limits.file_bytes:
            limit = f"{self._limits.file_bytes} are accepted"
            raise TransferRefused(f"the host sent {_shown(name)} of {size} bytes; {limit}")
        if self._total_bytes > self._limits.total_bytes:
            raise TransferRefused(f"the host sent more than {self._limits.total_bytes} bytes")
        return _safe_parts(name, self._limits)

    def _make(self, parts: list[str]) -> None:
        path = self._folder
        for part in parts:
            path = path / part
            try:
                path.mkdir(mode=0o700)
            except FileExistsError as error:
                if not stat.S_ISDIR(path.lstat().st_mode):
                    raise TransferRefused(f"the host sent {_shown(part)} as a file and as a folder") from error
            except OSError as error:
                raise _refused(part, error) from error
            else:
                self._count_made()

    def _count_made(self) -> None:
        """Count what takes an inode; a path makes folders that have no header of their own."""
        self._made += 1
        if self._made > self._limits.members:
            raise TransferRefused(f"the host sent more than {self._limits.members} files")


def _next_header(reader: _Reader) -> tarfile.TarInfo | None:
    """The next member's header, None at the archive's end."""
    block = reader.exactly(_BLOCK)
    if not any(block):
        return None
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, UnicodeDecodeError, ValueError) as error:
        raise TransferRefused("the host sent a damaged archive") from error
    if header.size < 0 or (header.type == tarfile.DIRTYPE and header.size):
        raise TransferRefused("the host sent a damaged archive")
    return header


def _extended_name(kind: bytes, extension: bytes) -> str | None:
    """The name a long-name or pax header gives the next member; a size given there is never believed."""
    try:
        if kind == tarfile.GNUTYPE_LONGNAME:
            return extension.rstrip(b"\0").decode("utf-8")
        keywords = _pax_keywords(extension)
    except ValueError as error:
        raise TransferRefused("the host sent a damaged archive") from error
    if "size" in keywords or any(keyword.startswith("GNU.sparse") for keyword in keywords):
        raise TransferRefused("the host sent a sparse or oversized file")
    return keywords.get("path")


def _pax_keywords(data: bytes) -> dict[str, str]:
    """Parse pax records, `<length> <keyword>=<value>\\n` each; raises ValueError."""
    keywords = {}
    while data:
        length_text, blank, _ = data.partition(b" ")
        length = int(length_text)
        record = data[len(length_text) + 1 : length]
        if not blank or not 0 < length <= len(data) or not record.endswith(b"\n"):
            raise ValueError("a pax record of the wrong length")
        keyword, _, value = record[:-1].decode("utf-8").partition("=")
        keywords[keyword] = value
        data = data[length:]
    return keywords


def _safe_parts(name: str, limits: Limits) -> list[str]:
    if name.startswith("/") or "\\" in name or not name.isprintable():
        raise TransferRefused(f"the host sent the path {_shown(name)}")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or len(parts) > limits.depth:
        raise TransferRefused(f"the host sent the path {_shown(name)}")
    if any(len(part.encode("utf-8")) > limits.name_bytes for part in parts):
        raise TransferRefused("the host sent an overlong file name")
    return parts


def _refused(name: str, error: OSError) -> Exception:
    """A name that cannot be written is the host's fault, all else this machine's."""
    return TransferRefused(f"the host sent the path {_shown(name)}") if error.errno in _UNNAMEABLE else error


def _shown(name: str) -> str:
    """A stranger's name for a message."""
    return repr(name) if len(name) <= _SHOWN else f"{name[:_SHOWN]!r}..."
