"""Where the machines of a Dask cluster keep what, and which ports they use."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

CERTIFICATES = "/etc/rampart/dask"
"""Where certificates belong: readable by ACCOUNT's group alone, owned by root."""
ACCOUNT = "rampart-dask"
"""Runs Dask; it owns nothing but its own state folder."""
SCHEDULER_PORT = 8786
DASHBOARD_PORT = 8787
"""Of the scheduler's own pages."""
WORKER_PORTS = (8788, 8789)
"""Of a worker and of the nanny that starts it anew."""


class DaskRole(StrEnum):
    """What somebody is in a Dask cluster."""

    SCHEDULER = "scheduler"
    WORKER = "worker"
    CLIENT = "client"


class Verdict(StrEnum):
    """What a certificate that somebody shows is to an authority."""

    CURRENT = "current"
    OUTDATED = "outdated"
    """Of another authority, of somebody else, or near its end: it is to be replaced."""
    NEWER = "newer"
    """Of an authority that was made for the same stack later on: this one is to be replaced."""


@dataclass(frozen=True, slots=True)
class Certificates:
    """What one side shows and trusts, as PEM texts: the authority's certificate, its own, and its private key."""

    authority: str
    certificate: str
    key: str = field(repr=False)


def certificates(role: str) -> tuple[str, str, str]:
    """Give the paths of the authority's certificate, of the machine's own and of its private key, to push in order."""
    return f"{CERTIFICATES}/ca.pem", f"{CERTIFICATES}/{role}.pem", f"{CERTIFICATES}/{role}-key.pem"


def unit(role: str) -> str:
    """Name the systemd unit of a role, without its ending."""
    return f"{ACCOUNT}-{role}"
