"""A session ends with the scheduler it began with."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from clients.dask import session
from clients.dask.session import Session


class Schedulers:
    """Those behind one address, one after the other, as Dask's client sees them: it never says that one was lost."""

    status = "running"

    def __init__(self, *names: str) -> None:
        self.scheduler = self
        self._names = list(names)

    async def identity(self) -> dict[str, Any]:
        if len(self._names) == 1:
            self.status = "closed"
        return {"id": self._names.pop(0), "workers": {}}

    def subscribe_topic(self, topic: str, heard: object) -> None:
        pass

    async def get_events(self, topic: str) -> tuple[()]:
        return ()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_LOOK_S", 0.0)


async def _watched(*names: str) -> None:
    begun = Session(Schedulers(*names), SimpleNamespace(TOPIC="places"))
    await begun.begin_listening()
    await begun.watch()


def test_a_session_goes_on_while_its_scheduler_answers() -> None:
    asyncio.run(_watched("first", "first", "first"))


def test_a_scheduler_that_was_started_anew_ends_the_session_however_soon_it_came_back() -> None:
    with pytest.raises(ConnectionError, match="another scheduler answers there now"):
        asyncio.run(_watched("first", "first", "second", "second"))
