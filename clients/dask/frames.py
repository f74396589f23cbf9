"""Write and read frames: a header, which is a JSON object, and bytes; the lengths of both come first.

Four bytes each, the higher first. Only the standard library is used here: either side may be a stranger's.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any, NamedTuple

MOST_HEADER_BYTES = 256 * 1024
MOST_PAYLOAD_BYTES = 8 * 2**20
_LENGTHS = struct.Struct(">II")


class Malformed(Exception):
    """What was read is no frame; the text is one clause."""


class Frame(NamedTuple):
    """One message."""

    header: dict[str, Any]
    payload: bytes = b""


def encoded(header: dict[str, Any], payload: bytes = b"") -> bytes:
    """Give a frame's bytes; raises ValueError where either part is longer than a frame may be."""
    text = json.dumps(header).encode()
    if len(text) > MOST_HEADER_BYTES or len(payload) > MOST_PAYLOAD_BYTES:
        raise ValueError(f"a frame of {len(text)} and {len(payload)} bytes is too long")
    return _LENGTHS.pack(len(text), len(payload)) + text + payload


def read(exactly: Callable[[int], bytes]) -> Frame:
    """Read one frame; `exactly` gives so many bytes and raises EOFError where there are less. Raises Malformed."""
    header_bytes, payload_bytes = _LENGTHS.unpack(exactly(_LENGTHS.size))
    if header_bytes > MOST_HEADER_BYTES or payload_bytes > MOST_PAYLOAD_BYTES:
        raise Malformed("it is longer than a frame may be")
    text, payload = exactly(header_bytes), exactly(payload_bytes)
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed("its header is no JSON") from error
    if not isinstance(header, dict):
        raise Malformed("its header is no object")
    return Frame(header, payload)
