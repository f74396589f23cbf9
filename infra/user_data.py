"""Give the user data of machines as their launch templates take it."""

from __future__ import annotations

from contracts.dask_boot import LONGEST, dask_scheduler, dask_worker, encoded

__all__ = ["LONGEST", "dask_scheduler", "dask_worker", "encoded"]
