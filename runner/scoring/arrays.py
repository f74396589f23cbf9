"""Read a stranger's predictions, or say what is wrong with them.

Run by the Python of the kit's environment (3.8 or newer).
"""

from __future__ import annotations

import math
import os
import stat
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

_MEMBER = "y_pred.npy"
_NUMBERS = "biuf"
_LARGEST_ITEM_BYTES = 16
_LARGEST_FLOAT = 1e150  # neither its square, nor a sum of many, overflows
_LARGEST_INTEGER = math.isqrt(2**63 - 1) if hasattr(math, "isqrt") else 3037000499
_SLACK = 1e-6
_OVERHEAD_BYTES = 2**20


class Refused(Exception):
    """The predictions cannot be scored; the text is one clause that says what is wrong."""


class Expected(NamedTuple):
    """What predictions must be: `kind` is numpy's letter for the type of the kit's own."""

    shape: tuple[int, ...]
    kind: str = "f"
    are_probabilities: bool = False


def read(path: Path, expected: Expected) -> Any:
    """Read the one array of an npz file as numpy would, without ever unpickling anything. Raises Refused."""
    try:
        descriptor = os.open(str(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refused("is missing") from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise Refused("is not a file")
        if status.st_size > _most_bytes(expected):
            raise Refused(f"is larger than {_most_bytes(expected)} bytes")
        array = _array(file, expected)
    check(array, expected)
    return array


def check(array: Any, expected: Expected) -> None:
    """Raise Refused unless the values can be scored."""
    if array.dtype.kind not in _NUMBERS:
        return  # of the kit's own kind
    values = array.astype(np.float64) if array.dtype.kind == "f" else array
    if not np.isfinite(values).all():
        raise Refused("has values that are not finite (NaN or infinity)")
    if array.size == 0:
        return
    least, most = values.min(), values.max()
    if expected.are_probabilities:
        if least < -_SLACK or most > 1 + _SLACK:
            raise Refused(f"has values from {least:g} to {most:g}: probabilities lie between 0 and 1")
        return
    largest = _LARGEST_FLOAT if array.dtype.kind == "f" else _LARGEST_INTEGER
    if int(most) > largest or int(least) < -largest:
        raise Refused(f"has values from {float(least):g} to {float(most):g}, too large to be scored")


def _array(file: BinaryIO, expected: Expected) -> Any:
    try:
        with zipfile.ZipFile(file) as archive:
            names = [member.filename for member in archive.infolist()]
            if names != [_MEMBER]:
                raise Refused("does not hold one array named y_pred")
            with archive.open(_MEMBER) as member:
                return _content(member, expected)
    except Refused:
        raise
    except Exception as error:  # a stranger's bytes break in more ways than can be listed
        raise Refused("cannot be read as an array") from error


def _content(member: Any, expected: Expected) -> Any:
    """Look at the header before anything is read: what it says bounds the memory that is taken."""
    version = np.lib.format.read_magic(member)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, is_fortran, dtype = read_header(member)
    if shape != expected.shape:
        raise Refused(f"has the shape {_shown(shape)}, not {_shown(expected.shape)}")
    if dtype.hasobject:
        raise Refused("holds Python objects, not numbers")
    if dtype.kind not in _NUMBERS and (dtype.kind != expected.kind or dtype.kind == "V"):
        raise Refused(f"holds values of type {str(dtype)[:40]}, not numbers")
    if dtype.itemsize > _largest_item(expected):
        raise Refused(f"holds values of {dtype.itemsize} bytes each")
    size = _count(shape) * dtype.itemsize
    data = bytearray(member.read(size + 1))
    if len(data) != size:
        raise Refused("is not as long as it says")
    array = np.frombuffer(data, dtype=dtype) if size else np.empty(_count(shape), dtype=dtype)
    return array.reshape(shape[::-1]).transpose() if is_fortran else array.reshape(shape)


def _most_bytes(expected: Expected) -> int:
    """What numpy leaves of such an array, compressed or not, and some room."""
    return _OVERHEAD_BYTES + _count(expected.shape) * _largest_item(expected) * 11 // 10


def _largest_item(expected: Expected) -> int:
    return _LARGEST_ITEM_BYTES if expected.kind not in "US" else 64 * _LARGEST_ITEM_BYTES


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for length in shape:
        count *= length
    return count


def _shown(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))[:60] or "of a single number"
