"""The ready event on spot machines, from its file to a score: private hosts, reached over a jump host."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.conftest import REPOSITORY, Deployment, done, running_cloud


@pytest.fixture
def house(new_deployment: Callable[[str], Deployment]) -> Iterator[Deployment]:
    """A deployment of events/spot with a running local cloud in which nothing is deployed yet."""
    deployment = new_deployment("spot")
    deployment.write_event((REPOSITORY / "events" / "spot" / "config.yml").read_text(encoding="utf-8"), name="spot")
    with running_cloud(deployment):
        yield deployment


def told(house: Deployment, *words: str) -> Any:
    return json.loads(done(house.invoke(*words, "--local", "--json")).out)


def test_a_submission_is_scored_on_a_private_spot_host_and_nothing_is_left(house: Deployment) -> None:
    first = done(house.invoke("up", "--local"))
    assert "fleet will come with the next up, once there is an image" in first.err
    done(house.invoke("build-ami", "--challenge", "iris", "--local"))
    assert "2 created, " in done(house.invoke("up", "--local")).err
    outputs = told(house, "outputs")
    assert outputs["access"] == "gateway"
    assert outputs["fleet_id"].startswith("fleet-")

    kit = "examples/iris/submissions/starting_kit"
    done(house.invoke("submit", "--team", "blue", "--submission", "first", "--path", kit, "--local"))
    served = done(house.invoke("train-loop", "--hunger-policy", "exit", "--local"))

    assert "1 scored, 0 failed" in served.err, served
    assert [machine["role"] for machine in told(house, "hosts")] == ["jump-host"]
    gone = done(house.invoke("destroy", "--local"))
    assert "stack spot is gone" in gone.out
    assert told(house, "hosts") == []
