"""What a stranger writes is read as a frame or refused, and is never given more room than a frame may take."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients.dask import frames
from clients.dask.frames import MOST_HEADER_BYTES, MOST_PAYLOAD_BYTES, Frame, Malformed

LENGTHS_BYTES = 8
_PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_VALUES = st.recursive(_PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=4)
_HEADERS = st.dictionaries(st.text(), _VALUES, max_size=3)


class Stream:
    """Gives what it holds, and remembers how much it was asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.asked: list[int] = []

    def exactly(self, size: int) -> bytes:
        self.asked.append(size)
        piece, self._data = self._data[:size], self._data[size:]
        if len(piece) < size:
            raise EOFError
        return piece

    def frame(self) -> Frame:
        return frames.read(self.exactly)

    @property
    def left(self) -> int:
        return len(self._data)


def framed(text: bytes, payload: bytes = b"") -> bytes:
    return struct.pack(">II", len(text), len(payload)) + text + payload


def assert_refused(text: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why) as caught:
        Stream(framed(text)).frame()
    assert len(str(caught.value)) < 100


@settings(max_examples=30)
@given(_HEADERS, st.binary(max_size=1000), _HEADERS)
def test_what_was_written_is_read_one_frame_after_the_other(
    header: dict[str, object], payload: bytes, other: dict[str, object]
) -> None:
    stream = Stream(frames.encoded(header, payload) + frames.encoded(other))
    assert (stream.frame(), stream.frame(), stream.left) == (Frame(header, payload), Frame(other), 0)


@given(st.binary(max_size=200) | st.builds(framed, st.binary(max_size=100), st.binary(max_size=100)))
def test_arbitrary_bytes_are_a_frame_or_refused_or_too_short(data: bytes) -> None:
    stream = Stream(data)
    try:
        frame = stream.frame()
    except (Malformed, EOFError):
        pass
    else:
        assert isinstance(frame.header, dict)
    assert stream.asked[0] == LENGTHS_BYTES
    assert all(asked <= MOST_PAYLOAD_BYTES for asked in stream.asked)


@given(st.builds(framed, st.builds(bytes, st.lists(st.sampled_from(b'{}[]",:\\u0d1e9-. nt\xff\x00'), max_size=60))))
def test_what_resembles_json_is_a_frame_or_refused(data: bytes) -> None:
    try:
        frame = Stream(data).frame()
    except Malformed:
        return
    assert isinstance(frame.header, dict)


@settings(max_examples=30)
@given(_HEADERS, st.binary(max_size=50), st.data())
def test_a_frame_that_is_cut_anywhere_is_too_short(
    header: dict[str, object], payload: bytes, data: st.DataObject
) -> None:
    whole = frames.encoded(header, payload)
    with pytest.raises(EOFError):
        Stream(whole[: data.draw(st.integers(0, len(whole) - 1))]).frame()


@pytest.mark.parametrize(
    ("header_bytes", "payload_bytes"),
    [(MOST_HEADER_BYTES + 1, 0), (2, MOST_PAYLOAD_BYTES + 1), (2**32 - 1, 2**32 - 1), (0, 2**31), (2**31, 0)],
)
def test_lengths_beyond_the_bounds_are_refused_before_anything_more_is_read(
    header_bytes: int, payload_bytes: int
) -> None:
    stream = Stream(struct.pack(">II", header_bytes, payload_bytes) + b"{}" * 100)
    with pytest.raises(Malformed, match="longer than a frame"):
        stream.frame()
    assert stream.asked == [LENGTHS_BYTES]


def test_the_longest_frame_is_written_and_read() -> None:
    header = {"a": "x" * (MOST_HEADER_BYTES - len('{"a": ""}'))}
    payload = bytes(MOST_PAYLOAD_BYTES)
    assert Stream(frames.encoded(header, payload)).frame() == Frame(header, payload)


@pytest.mark.parametrize(
    ("header", "payload"), [({"a": "x" * MOST_HEADER_BYTES}, b""), ({}, bytes(MOST_PAYLOAD_BYTES + 1))]
)
def test_a_frame_that_is_too_long_is_not_written(header: dict[str, object], payload: bytes) -> None:
    with pytest.raises(ValueError, match="too long"):
        frames.encoded(header, payload)


@pytest.mark.parametrize(
    "nested", [lambda deep: b"[" * deep, lambda deep: b'{"a":' * (deep // 5)], ids=["list", "object"]
)
def test_depth_without_end_is_no_json(nested: Callable[[int], bytes]) -> None:
    assert_refused(nested(MOST_HEADER_BYTES), "no JSON")


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"\xff\xfe", b'{"a": "\xff"}', b"{" + b"1" * 1000 + b"}", b'{"a": ' + b"1" * 5000 + b"}", b"{} {}"],
    ids=["nothing", "cut", "odd", "no text", "no key", "a number without end", "two"],
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    assert_refused(text, "no JSON")


@pytest.mark.parametrize("value", [[], None, 1, "text", True, [{"id": 1}]])
def test_json_that_is_no_object_is_refused(value: object) -> None:
    assert_refused(json.dumps(value).encode(), "no object")
