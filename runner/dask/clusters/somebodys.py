"""Use a Dask cluster that somebody else keeps."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from contracts.dask import Scheduler, TlsFiles
from contracts.errors import AskedWrongly

_FILES = ("ca.pem", "client.pem", "client-key.pem")
_ENCRYPTED = ("tls://", "wss://")


class SomebodysCluster:
    """The cluster that `worker.dask_scheduler` names: it is neither started nor scaled nor ended here."""

    def __init__(self, address: str, tls_dir: Path) -> None:
        """`tls_dir` holds what a client shows to a scheduler with encryption. Raises AskedWrongly where it does not."""
        self._scheduler = Scheduler(address, _tls(address, tls_dir))

    def scheduler(self) -> Scheduler:
        return self._scheduler

    def scale(self, wanted: int, busy: Collection[str] | None = None) -> None:
        """Its workers are its keeper's."""

    def close(self) -> None:
        """Nothing was started."""


def _tls(address: str, folder: Path) -> TlsFiles | None:
    if not address.startswith(_ENCRYPTED):
        return None
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        hint = f"worker.dask_tls_dir names a folder with {', '.join(_FILES)}"
        raise AskedWrongly(f"the scheduler {address} wants certificates, and {folder} has no {missing[0]}", hint=hint)
    return TlsFiles(*(folder / name for name in _FILES))
