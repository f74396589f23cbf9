"""Events to declare, in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.event import EventConfig
from contracts.event_file import load_event

REPOSITORY = Path(__file__).resolve().parents[3]
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"

MakeEvent = Callable[..., EventConfig]


@pytest.fixture(scope="session")
def iris() -> EventConfig:
    """The ready example event, as it would be on AWS."""
    path = REPOSITORY / "events" / "iris" / "config.yml"
    return load_event(path, environ={"RAMPART_ALLOWED_CIDR": "203.0.113.0/28"})


@pytest.fixture(scope="session")
def make_event(iris: EventConfig, tmp_path_factory: pytest.TempPathFactory) -> MakeEvent:
    """Make the example event with other values: `infra=dict(...)`, `network=dict(...)`, `worker=dict(...)`."""
    deployment = tmp_path_factory.mktemp("deployment")

    def make(**changes: dict[str, Any]) -> EventConfig:
        network = iris.infra.network.model_copy(update=changes.get("network", {}))
        infra = iris.infra.model_copy(update={"network": network, **changes.get("infra", {})})
        worker = iris.worker.model_copy(update=changes.get("worker", {}))
        event = iris.model_copy(update={"state_root": deployment, "infra": infra, "worker": worker})
        key = event.state_dir / "id_ed25519.pub"
        key.parent.mkdir(parents=True, exist_ok=True)
        key.write_text(f"{PUBLIC_KEY} somebody@somewhere\n")
        return event

    return make
