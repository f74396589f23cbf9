"""Events for preflight to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.event import EventConfig
from tests.unit.infra.events import event_with

MakeEvent = Callable[..., EventConfig]


@pytest.fixture
def make(tmp_path: Path) -> MakeEvent:
    """The smallest event on EC2 with this section `infra`, and other values of the worker by their keys."""

    def event(infra: dict[str, Any] | None = None, *, n_workers: int = 2, **worker: Any) -> EventConfig:
        made = event_with(infra or {}, tmp_path)
        changed = made.worker.model_copy(update=worker)
        dispatcher = made.dispatcher.model_copy(update={"n_workers": n_workers})
        return made.model_copy(update={"worker": changed, "dispatcher": dispatcher})

    return event
