"""Write files in one step: whoever reads one meanwhile finds the old or the new one, whole."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write(path: Path, text: str, *, mode: int = 0o600, is_synced: bool = False) -> None:
    """Write a file, which only its owner may read unless `mode` says otherwise, with the folders above it.

    `is_synced`: it is on the disk when this returns.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            if is_synced:
                file.flush()
                os.fsync(descriptor)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
