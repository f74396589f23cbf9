"""Claim as fast as one dispatcher can, beside others."""

from __future__ import annotations

import time
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

from contracts.errors import StoreUnavailable
from runner.app import now
from runner.store import Catalogue, SqlStore
from tests.contract import store_fixtures

PATIENCE_S = 120


@dataclass(frozen=True, slots=True)
class Taken:
    """What one claimer got, by a clock all processes share; `refused` counts claims the database had no time for."""

    began: float
    ended: float
    ids: list[int]
    refused: int


def claim(url: str, folder: Path, places: int, seconds: float, start: Barrier, answers: Queue[Taken]) -> None:
    """One dispatcher's share, in a process of its own."""
    event = store_fixtures.event_in(folder, url)
    store = SqlStore(url, event, now)
    Catalogue(store.database, now).has_event(event.name)  # to be connected when the race begins
    ids: list[int] = []
    refused = 0
    start.wait(PATIENCE_S)
    began = time.monotonic()
    while time.monotonic() < began + seconds:
        try:
            claimed = store.claim(event.name, places)
        except StoreUnavailable:
            refused += 1
            continue
        if not claimed:
            break
        ids += [one.work.submission_id for one in claimed]
    answers.put(Taken(began, time.monotonic(), ids, refused))
    store.close()
