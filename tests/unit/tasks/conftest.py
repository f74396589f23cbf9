"""What a test's event keeps secret is known to that test alone."""

from __future__ import annotations

import pytest

from contracts.redaction import BY_LOOK
from tasks import console


@pytest.fixture(autouse=True)
def nothing_is_hidden_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console._Process, "redactor", BY_LOOK)
