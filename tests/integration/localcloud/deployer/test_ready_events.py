"""The larger ready events, and one that asks for everything, deployed into the local cloud and taken away again.

events/iris is looked at in test_event_stack.py, events/spot in the acceptance tests.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clients.keys import new_key_file
from contracts.event import EventConfig
from contracts.stack import StackOutputs
from infra import program
from localcloud import LocalCloud
from localcloud.deployer import Deployer, Deployment, table
from localcloud.deployer.connection import Connection
from localcloud.deployer.handler import Made
from localcloud.deployer.ledger import read
from tests.unit.infra.events import EXAMPLES, OPTIONS, event_with, example

SECRET = "the-value-nobody-must-see"


class Stack:
    """One event of a name of its own, on a cloud that others use too."""

    def __init__(self, event: EventConfig, cloud: LocalCloud) -> None:
        self.event = event
        self.state = event.state_dir / "stack.json"
        self.deployer = Deployer(self.state, cloud.environment)
        self.connection = Connection(cloud.environment)

    def client(self, service: str) -> Any:
        return self.connection.client(service, self.event.region)

    def up(self) -> Deployment:
        return self.deployer.up(
            lambda: program.build(self.event),
            project="rampart",
            stack=self.event.name,
            secrets={f"secret-{name}": SECRET for name in self.event.infra.secrets},
        )

    def give_image(self) -> str:
        """An image that passes for one that was built for the stack and verified."""
        ec2 = self.client("ec2")
        base = ec2.describe_images(Filters=[{"Name": "name", "Values": ["*ubuntu*"]}])["Images"][0]["ImageId"]
        owner = [{"Key": f"rampart:{key}", "Value": self.event.name} for key in ("event", "stack")]
        name = f"{self.event.image_name} {datetime.now(UTC).isoformat()}"
        image_id: str = ec2.copy_image(Name=name, SourceImageId=base, SourceRegion=self.event.region)["ImageId"]
        ec2.create_tags(Resources=[image_id], Tags=[*owner, {"Key": "rampart:status", "Value": "verified"}])
        return image_id

    def still_there(self, entries: list[Any]) -> list[str]:
        """Names of those resources that the cloud still has."""
        return [
            entry.name
            for entry in entries
            if table.HANDLERS[entry.type].exists(
                Made(entry.id, entry.region, entry.inputs, entry.outputs, self.connection)
            )
        ]


def _event(kind: str, folder: Path) -> EventConfig:
    event = example(kind, folder) if kind in EXAMPLES else event_with(OPTIONS[kind], folder)
    ramp = event.ramp.model_copy(update={"event_name": f"{kind[:4]}-{uuid.uuid4().hex[:6]}"})
    own = event.model_copy(update={"ramp": ramp, "state_root": folder})
    new_key_file(own.key_path)
    return own


@pytest.fixture(params=["dask", "everything"])
def stack(request: pytest.FixtureRequest, local_cloud: LocalCloud, tmp_path: Path) -> Iterator[Stack]:
    made = Stack(_event(request.param, tmp_path), local_cloud)
    yield made
    made.deployer.destroy()
    made.connection.close()


def test_it_goes_up_stays_grows_with_its_image_and_goes_without_a_trace(stack: Stack) -> None:
    first = stack.up()
    assert stack.up().changed_nothing
    waiting = StackOutputs.model_validate(first.outputs).waits_for_image
    assert waiting == tuple(name for name in ("fleet", "dask") if getattr(stack.event.infra, name) is not None)

    image_id = stack.give_image()
    grown = stack.up()
    outputs = StackOutputs.model_validate(grown.outputs)
    assert outputs.waits_for_image == ()
    assert (grown.replaced, grown.deleted) == ((), ())
    assert bool(grown.created) == bool(waiting)
    again = stack.up()
    assert again.changed_nothing
    assert again.outputs == grown.outputs
    assert SECRET not in stack.state.read_text()
    vault = stack.client("secretsmanager")
    kept = [vault.get_secret_value(SecretId=arn)["SecretString"] for arn in outputs.secret_arns.values()]
    assert kept == [SECRET] * len(stack.event.infra.secrets)

    entries = [entry for entry in read(stack.state).entries if not entry.retained]
    assert sorted(stack.still_there(entries)) == sorted(entry.name for entry in entries)
    assert stack.deployer.preview(
        lambda: program.build(stack.event),
        project="rampart",
        stack=stack.event.name,
        secrets={f"secret-{name}": SECRET for name in stack.event.infra.secrets},
    ).changed_nothing
    stack.client("ec2").deregister_image(ImageId=image_id)
    stack.deployer.destroy()
    assert stack.still_there(entries) == []
    assert _instances(stack) == []
    assert stack.deployer.destroy().changed_nothing


def _instances(stack: Stack) -> list[str]:
    """What of the event's machines, declared or launched by a fleet, has not ended."""
    mine = [
        {"Name": "tag:rampart:stack", "Values": [stack.event.name]},
        {"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped"]},
    ]
    found = stack.client("ec2").describe_instances(Filters=mine)["Reservations"]
    return [instance["InstanceId"] for reservation in found for instance in reservation["Instances"]]
