"""Write a list of scores as RAMP's NumpyType: a compressed numpy array that numpy 1 and 2 can load."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from sqlalchemy import Dialect, LargeBinary, TypeDecorator

# ndarray.dumps names the module that rebuilds the array; numpy 2 moved it, and kept the old name working.
_MODULE_OF_NUMPY_2 = b"cnumpy._core.multiarray\n"
_MODULE_OF_BOTH = b"cnumpy.core.multiarray\n"


class NumpyType(TypeDecorator[Sequence[float]]):
    """A column of scores. It is only ever written: what is read stays bytes, since loading it would run a pickle."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Sequence[float] | None, dialect: Dialect) -> bytes:  # noqa: ARG002
        """Compress the array; None becomes an empty one, since RAMP's reader decompresses without asking."""
        return packed(value or ())


def packed(scores: Sequence[float]) -> bytes:
    """Give the bytes RAMP's reader expects for these scores."""
    import numpy as np  # only who records scores has to wait for it

    dumped = np.asarray(scores, dtype=np.float64).dumps()
    return zlib.compress(dumped.replace(_MODULE_OF_NUMPY_2, _MODULE_OF_BOTH, 1), 9)
