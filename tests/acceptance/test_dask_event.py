"""The ready event with a Dask cluster, from its file to its leaderboard: machines come, are lost, and are gone."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.acceptance.conftest import REPOSITORY, Deployment, done, running_cloud

KIT = "examples/iris"
HERE = f"""
ramp: {{problem_name: iris, event_name: here, kit_dir: {KIT}, data_dir: {KIT}}}
worker: {{worker_type: conda, env: venv, venv_dir: {sys.prefix}}}
dispatcher: {{hunger_policy: exit, n_workers: 2, n_threads: 1}}
"""
SLOW = """
import time
from sklearn.dummy import DummyClassifier

def get_estimator():
    time.sleep(2)  # long enough to lose its machine in; what is asserted does not depend on it
    return DummyClassifier(strategy="prior")
"""


@pytest.fixture
def house(new_deployment: Callable[[str], Deployment]) -> Iterator[Deployment]:
    """A deployment of events/dask, and of the same challenge on this machine, with a running local cloud."""
    deployment = new_deployment("dask")
    deployment.write_event((REPOSITORY / "events" / "dask" / "config.yml").read_text(encoding="utf-8"), name="dask")
    deployment.write_event(HERE, name="here")
    slow = deployment.folder / "slow"
    slow.mkdir()
    (slow / "estimator.py").write_text(SLOW, encoding="utf-8")
    with running_cloud(deployment):
        yield deployment


def submit(house: Deployment, name: str, path: str) -> None:
    for event, options in (("dask", ["--local"]), ("here", [])):
        words = ("submit", "--event", event, "--team", "blue", "--submission", name, "--path", path)
        done(house.invoke(*words, *options))


def leaderboard(house: Deployment, event: str, *options: str) -> list[tuple[Any, ...]]:
    rows = json.loads(done(house.invoke("leaderboard", "--event", event, "--json", *options)).out)
    return [(row["submission"], row["valid"], row["test"]) for row in rows]


def workers(house: Deployment) -> list[str]:
    """The instances that are workers."""
    machines = json.loads(done(house.invoke("hosts", "--event", "dask", "--local", "--json")).out)
    return [machine["instance_id"] for machine in machines if machine["role"] == "dask-worker"]


def test_a_cluster_of_machines_gives_the_leaderboard_of_one_though_a_machine_is_lost(house: Deployment) -> None:
    dask = ("--event", "dask", "--local")
    assert "dask will come with the next up, once there is an image" in done(house.invoke("up", *dask)).err
    done(house.invoke("build-ami", *dask))
    assert "certificates of the Dask cluster: kept" in done(house.invoke("up", *dask)).err
    submit(house, "slow", "slow")
    submit(house, "trees", f"{KIT}/submissions/forest")

    loop = house.start("train-loop", "--hunger-policy", "exit", *dask)
    said = ""
    while "blue/slow runs on" not in said:
        line = loop.said.readline()
        assert line, said
        said += line
    lost = next(line.rpartition(" on ")[2].strip() for line in said.splitlines() if "blue/slow runs on" in line)
    shown = json.loads(done(house.invoke("dask-cluster", "--json", *dask)).out)
    address = next(one["address"] for one in shown if one["machine"] in lost)
    instances = house.client("ec2").describe_instances(InstanceIds=workers(house))["Reservations"]
    ids = {one["PrivateIpAddress"]: one["InstanceId"] for each in instances for one in each["Instances"]}
    house.client("ec2").terminate_instances(InstanceIds=[ids[address.split("//")[1].split(":")[0]]])
    rest = loop.await_end(120)

    assert "dask: 2 scored, 0 failed, 1 back in the queue" in rest, said + rest
    assert workers(house) == []
    done(house.invoke("train-loop", "--event", "here"))
    assert leaderboard(house, *dask[1:]) == leaderboard(house, "here")
    done(house.invoke("destroy", *dask))
    assert json.loads(done(house.invoke("hosts", "--json", *dask)).out) == []
    assert list((house.folder / ".rampart").rglob("dask-tls")) == []
