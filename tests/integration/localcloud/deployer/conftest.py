"""Small programs on the session's cloud, each of a stack of its own."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud import LocalCloud
from localcloud.deployer import Deployer
from localcloud.deployer.connection import Connection
from tests.integration.localcloud.deployer.stages import Stage


@pytest.fixture
def stage(local_cloud: LocalCloud, tmp_path: Path) -> Iterator[Stage]:
    path = tmp_path / "stack.json"
    connection = Connection(local_cloud.environment)
    stage = Stage(f"stage-{uuid.uuid4().hex[:6]}", path, Deployer(path, local_cloud.environment), connection)
    yield stage
    stage.deployer.destroy()
    connection.close()
