"""A deployer on a shelf."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localcloud.deployer import Deployer, Deployment, table
from tests.unit.localcloud.deployer.shelf import Shelf

ENVIRONMENT = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}

Up = Callable[[Callable[[], Any]], Deployment]


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Shelf:
    shelf = Shelf()
    monkeypatch.setattr(table, "HANDLERS", shelf.handlers())
    return shelf


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "stack.json"


@pytest.fixture
def deployer(state: Path) -> Deployer:
    return Deployer(state, ENVIRONMENT)


@pytest.fixture
def up(deployer: Deployer) -> Up:
    """Deploy a program; what it gives are the outputs where it is a mapping."""

    def outputs_of(program: Callable[[], Any]) -> dict[str, Any]:
        given = program()
        return given if isinstance(given, dict) else {}

    return lambda program: deployer.up(lambda: outputs_of(program), project="house", stack="iris")
