"""Where a Dask scheduler answers, and what a client shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files of one side: the authority's certificate, the side's own, and its private key."""

    authority: Path
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Where a scheduler answers, as `tls://host:port` or `tcp://host:port`, and what a client shows it.

    `tls` None: there is no encryption.
    """

    address: str
    tls: TlsFiles | None = None


@dataclass(frozen=True, slots=True)
class DaskWorker:
    """One worker of a cluster: its address, the machine it is on, and the keys of the runs that have its place."""

    address: str
    machine: str
    runs: tuple[str, ...] = ()
