"""Give each test a pool over a Dask cluster in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from contracts.event import EventConfig
from runner.dask.announcing import Announcement
from tests.unit.runner.dask.pool_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Whoever still waits when the test is over is stopped."""
    event = cast(EventConfig, SimpleNamespace(state_dir=tmp_path))
    made = Bench(Announcement(event))
    yield made
    made.interruption.ask()
