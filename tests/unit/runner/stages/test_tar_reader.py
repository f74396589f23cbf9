"""No archive, however made, writes anything but regular files below its own folder."""

from __future__ import annotations

import gzip
import io
import stat
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import TransferRefused
from runner.stages.tar_reader import Limits, unpack

SMALL = Limits(members=20, file_bytes=10_000, total_bytes=20_000, depth=4)
FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)


def member(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def archive(*members: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def pieces(data: bytes, size: int = 700) -> Iterator[bytes]:
    return (data[i : i + size] for i in range(0, len(data), size))


@pytest.mark.parametrize("form", FORMATS)
def test_files_and_folders_are_written_as_they_came(tmp_path: Path, form: int) -> None:
    long_name = "a" * 120 + "/" + "é" * 100 if form != tarfile.USTAR_FORMAT else "short"
    data = archive(
        member("./", type=tarfile.DIRTYPE),
        member("log", b"text\n"),
        member("fold_0", type=tarfile.DIRTYPE),
        member("fold_0/y_pred.npz", bytes(range(256)) * 9),
        member("fold_1/scores.csv", b""),
        member(long_name, b"long"),
        form=form,
    )
    unpack(pieces(data), tmp_path, SMALL)
    written = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {
        "log": b"text\n",
        "fold_0/y_pred.npz": bytes(range(256)) * 9,
        "fold_1/scores.csv": b"",
        long_name: b"long",
    }


def test_owner_and_mode_of_the_archive_are_ignored(tmp_path: Path) -> None:
    unpack([archive(member("tool", b"#!/bin/sh", mode=0o6777, uid=0, uname="root"))], tmp_path, SMALL)
    assert stat.S_IMODE((tmp_path / "tool").stat().st_mode) == 0o600


HOSTILE = {
    "a symbolic link": [member("x", type=tarfile.SYMTYPE, linkname="/etc/passwd")],
    "a hard link": [member("a", b"1"), member("x", type=tarfile.LNKTYPE, linkname="a")],
    "a character device": [member("x", type=tarfile.CHRTYPE)],
    "a block device": [member("x", type=tarfile.BLKTYPE)],
    "a pipe": [member("x", type=tarfile.FIFOTYPE)],
    "a contiguous file": [member("x", type=tarfile.CONTTYPE)],
    "an absolute path": [member("/tmp/x", b"1")],
    "a climbing path": [member("a/../../x", b"1")],
    "a climbing folder": [member("..", type=tarfile.DIRTYPE)],
    "a backslash": [member("..\\x", b"1")],
    "a control character": [member("x\x1b[2J", b"1")],
    "a line end in a name": [member("x\ny", b"1")],
    "a file twice": [member("x", b"1"), member("x", b"2")],
    "a file where a folder is": [member("x/y", b"1"), member("x", b"2")],
    "a folder where a file is": [member("x", b"1"), member("x/y", b"2")],
    "a file without a name": [member("./.", b"1")],
    "a deep path": [member("a/b/c/d/e", b"1")],
    "an overlong name": [member("a" * 300, b"1")],
    "an overlong path header": [member("a/" * 20_000, b"1")],
    "too many members": [member(f"x{i}") for i in range(21)],
    "a large file": [member("x", bytes(10_001))],
    "a large total": [member(f"x{i}", bytes(9000)) for i in range(3)],
    "a size only pax believes": [member("x", b"1", pax_headers={"size": "99999999999"})],
    "a sparse file": [member("x", b"1", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.realsize": "9999999"})],
    "a global header": [member("x", b"1", type=tarfile.XGLTYPE)],
    "a path of the header's that climbs": [member("x", b"1", pax_headers={"path": "../x"})],
    "a path of the header's that is absolute": [member("x", b"1", pax_headers={"path": "/tmp/x"})],
    "a path of the header's that is empty": [member("x", b"1", pax_headers={"path": ""})],
    "a path of the header's with a NUL": [member("x", b"1", pax_headers={"path": "a\0b"})],
    "a long name that climbs": [member("a/" * 60 + "../" * 62 + "x", b"1")],
    "a name that reads backwards": [member("x\u202ecsv", b"1")],
    "many folders that have no header": [member(f"a{i}/b/c/d", b"1") for i in range(6)],
    "a folder twice where it is a link's": [member("d", type=tarfile.DIRTYPE), member("d", type=tarfile.SYMTYPE)],
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_archive_is_refused(tmp_path: Path, case: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    form = tarfile.PAX_FORMAT if any(info.pax_headers for info, _ in HOSTILE[case]) else tarfile.GNU_FORMAT
    with pytest.raises(TransferRefused):
        unpack(pieces(archive(*HOSTILE[case], form=form)), folder, SMALL)
    _assert_nothing_but_regular_files(tmp_path, folder)


def mend_checksums(raw: bytearray) -> None:
    for start in range(0, len(raw) - 511, 512):
        block = raw[start : start + 512]
        if any(block):
            block[148:156] = b" " * 8
            raw[start + 148 : start + 156] = b"%06o\0 " % sum(block)


def block(kind: bytes, *, name: bytes = b"x", size: bytes = b"00000000000\0") -> bytes:
    """One header with these very bytes in it, its checksum right."""
    raw = bytearray(tarfile.TarInfo("x").tobuf(tarfile.USTAR_FORMAT))
    raw[:100] = name.ljust(100, b"\0")
    raw[124:136], raw[156:157] = size, kind
    mend_checksums(raw)
    return bytes(raw)


def after(extension: bytes, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """A file of one byte behind a header that has such content."""
    padding = bytes(-len(extension) % 512)
    size = b"%011o\0" % len(extension)
    return block(kind, size=size) + extension + padding + archive(member("x", b"1"))


RAW = {
    "an unknown type": block(b"Z"),
    "a sparse file of GNU's": block(b"S"),
    "a part of another volume": block(b"M"),
    "a long link name": after(b"/etc/passwd\0", b"K"),
    "a header of Solaris's": after(b"18 path=/etc/pass\n", b"X"),
    "a negative size": block(b"0", size=b"\xff" * 12),
    "a size beyond all bounds": block(b"0", size=b"\x80" + b"\xff" * 11),
    "a size that is no number": block(b"0", size=b"99999999999\0"),
    "a header of a negative size": block(tarfile.XHDTYPE, size=b"\xff" * 12),
    "a folder with content": block(b"5", size=b"00000001000\0") + bytes(512),
    "an old folder with content": block(b"\0", name=b"x/", size=b"00000001000\0") + bytes(512),
    "a name that is no text": block(b"0", name=b"\xff\xfe"),
    "a wrong checksum": archive(member("x", b"1"))[:148] + b"0000000\0" + bytes(2000),
    "a compressed archive": gzip.compress(archive(member("x", b"1"))).ljust(1024, b"\0"),
    "a record of a negative length": after(b"-9 a=b\n9 path=y\n"),
    "a record of no length": after(b"0 path=y\n"),
    "a record longer than its header": after(b"99 path=y\n"),
    "a record without a length": after(b"path=y\n"),
    "a record of a length beyond all bounds": after(b"9" * 5000 + b" path=y\n"),
    "a record that is no text": after(b"11 path=\xff\xfe\n"),
    "a size the header lies about": after(b"20 size=99999999999\n"),
}


@pytest.mark.parametrize("case", RAW)
def test_an_archive_that_no_packer_writes_is_refused(tmp_path: Path, case: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    with pytest.raises(TransferRefused):
        unpack(pieces(RAW[case]), folder, SMALL)
    _assert_nothing_but_regular_files(tmp_path, folder)


def test_of_two_archives_in_one_the_second_is_not_unpacked(tmp_path: Path) -> None:
    unpack([archive(member("x", b"1")) + archive(member("y", b"2"))], tmp_path, SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_hundred_thousand_members_are_not_even_read(tmp_path: Path) -> None:
    sent = 0

    def headers() -> Iterator[bytes]:
        nonlocal sent
        for sent in range(100_000):
            yield block(b"5", name=b"d%d" % sent)

    with pytest.raises(TransferRefused, match="more than 20"):
        unpack(headers(), tmp_path, SMALL)
    assert sent == 20


def test_a_name_this_file_system_does_not_take_is_refused(tmp_path: Path) -> None:
    longest = Limits(depth=10_000, name_bytes=10_000)
    for name in ("a" * 300, "/".join(["a" * 200] * 30)):
        with pytest.raises(TransferRefused):
            unpack([archive(member(name, b"1"))], tmp_path, longest)


def test_a_refusal_repeats_no_more_of_a_name_than_a_line_holds(tmp_path: Path) -> None:
    with pytest.raises(TransferRefused) as refused:
        unpack([archive(member("../" + "a" * 5000, b"1"))], tmp_path, SMALL)
    assert len(str(refused.value)) < 150


def test_a_file_through_a_planted_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "a").symlink_to(tmp_path)
    with pytest.raises(TransferRefused):
        unpack([archive(member("a/x", b"1"))], tmp_path / "inside", SMALL)
    assert not (tmp_path / "x").exists()


def test_a_huge_announced_size_reserves_nothing(tmp_path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.size = 8 * 1024**4
    with pytest.raises(TransferRefused):
        unpack([info.tobuf(tarfile.GNU_FORMAT)], tmp_path, SMALL)
    info.type = tarfile.GNUTYPE_LONGNAME
    with pytest.raises(TransferRefused, match="overlong header"):
        unpack([info.tobuf(tarfile.GNU_FORMAT)], tmp_path, SMALL)


def test_endless_data_behind_the_end_is_refused(tmp_path: Path) -> None:
    def endless() -> Iterator[bytes]:
        yield archive(member("x", b"1"))
        while True:
            yield bytes(10_000)

    with pytest.raises(TransferRefused, match="behind the archive's end"):
        unpack(endless(), tmp_path, SMALL)


def test_endless_headers_are_refused(tmp_path: Path) -> None:
    info, content = member("x", b"20 path=abcdefghijk\n", type=tarfile.XHDTYPE)
    block = info.tobuf(tarfile.USTAR_FORMAT) + content + bytes(512 - len(content))

    def endless() -> Iterator[bytes]:
        while True:
            yield block

    with pytest.raises(TransferRefused, match="more than 20"):
        unpack(endless(), tmp_path, SMALL)


@pytest.mark.parametrize("end", [0, 100, 511, 512, 700, 1024, 1500])
def test_a_truncated_archive_is_refused(tmp_path: Path, end: int) -> None:
    data = archive(member("x", bytes(900)))
    with pytest.raises(TransferRefused, match="too early"):
        unpack(pieces(data[:end]), tmp_path, SMALL)


NAMES = st.one_of(
    st.sampled_from(
        ["a", "a/b", "a/b/c", ".", "..", "../x", "/x", "a/../../x", "a//b", "./a", "a/", "", "a\\b", "C:x"]
    ),
    st.text(max_size=8),
)
KINDS = st.sampled_from([bytes([number]) for number in range(256)]) | st.sampled_from([*b"01234567LKxgSMDVNX"]).map(
    lambda number: bytes([number])
)


@st.composite
def members(draw: st.DrawFn) -> bytes:
    """A member of any type with any of the names, whose size is said rightly or not."""
    info = tarfile.TarInfo(draw(NAMES).replace("\0", ""))
    content = draw(st.binary(max_size=700))
    info.size = draw(st.sampled_from([len(content), len(content), 0, 1, 512, 10_001, 2**40]))
    info.linkname = draw(st.sampled_from(["", "a", "..", "/etc/passwd"]))
    raw = bytearray(info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape"))
    raw[-512 + 156 : -512 + 157] = draw(KINDS)
    mend_checksums(raw)
    return bytes(raw) + content.ljust(-(-len(content) // 512) * 512, b"\0")


@settings(max_examples=150)
@given(drawn=st.lists(members(), max_size=8), size=st.integers(1, 3000))
def test_whatever_members_come_nothing_is_written_outside(drawn: list[bytes], size: int) -> None:
    with TemporaryDirectory() as top:
        folder = Path(top) / "inside"
        folder.mkdir()
        with suppress(TransferRefused):
            unpack(pieces(b"".join(drawn) + bytes(1024), size), folder, SMALL)
        _assert_nothing_but_regular_files(Path(top), folder)


@settings(max_examples=150)
@given(data=st.data())
def test_whatever_bytes_come_nothing_is_written_outside(data: st.DataObject) -> None:
    """Random bytes, and valid archives with random bytes changed, with every checksum made right again."""
    with TemporaryDirectory() as top:
        folder = Path(top) / "inside"
        folder.mkdir()
        raw = bytearray(data.draw(st.sampled_from(_CORPUS)) or data.draw(st.binary(max_size=2000)))
        for _ in range(data.draw(st.integers(0, 8))):
            if raw:
                raw[data.draw(st.integers(0, min(len(raw), 1100) - 1))] = data.draw(st.integers(0, 255))
        if data.draw(st.booleans()):
            mend_checksums(raw)
        with suppress(TransferRefused):
            unpack(pieces(bytes(raw), data.draw(st.integers(1, 3000))), folder, SMALL)
        _assert_nothing_but_regular_files(Path(top), folder)


_CORPUS = [
    b"",
    archive(member("a/b", b"12345"), member("c", b"6" * 600)),
    archive(member("a/b", b"12345", pax_headers={"comment": "x" * 50}), form=tarfile.PAX_FORMAT),
    archive(member("n" * 150, b"12345")),
    *(archive(*held) for held in HOSTILE.values() if len(held) < 3),
    *RAW.values(),
]


def _assert_nothing_but_regular_files(top: Path, folder: Path) -> None:
    """Nor more of them, or larger ones, than the limits allow."""
    assert list(top.iterdir()) == [folder]
    found = [path.lstat() for path in folder.rglob("*")]
    assert all(stat.S_ISREG(each.st_mode) or stat.S_ISDIR(each.st_mode) for each in found)
    sizes = [each.st_size for each in found if stat.S_ISREG(each.st_mode)]
    assert len(found) <= SMALL.members + 1  # the folder that was one too many is there
    assert max(sizes, default=0) <= SMALL.file_bytes
    assert sum(sizes) <= SMALL.total_bytes
    assert all(each.st_nlink == 1 for each in found if stat.S_ISREG(each.st_mode))
