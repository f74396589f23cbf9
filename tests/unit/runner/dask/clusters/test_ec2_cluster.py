"""A loop's own cluster on EC2: when it counts as lost, what is ended then, and who is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clients.memory_instances import MemoryInstances
from contracts.dask import Scheduler, TlsFiles
from contracts.dask_ec2 import Ec2ClusterPlan
from contracts.dask_machines import DaskRole
from contracts.errors import AskedWrongly, CloudError, HostKeyRefused, HostUnreachable, RampartError
from contracts.event import ClusterKind, EventConfig
from contracts.instance import LAUNCH_TAG, Instance
from contracts.stack import StackOutputs
from runner.dask.clusters.ec2_cluster import (
    Ec2Cluster,
    Ec2ClusterDoors,
    Machines,
    Patience,
    Tls,
    keeper_environment,
    plan_of,
)
from runner.dask.machines import DaskMachine
from tests.unit.infra.events import OPTIONS, event_with

START = datetime(2026, 11, 1, tzinfo=UTC)
FILES = TlsFiles(Path("/ca.pem"), Path("/client.pem"), Path("/client-key.pem"))
PLAN = Ec2ClusterPlan(
    stack="iris", event="iris", region="eu-west-3", scheduler_template_id="lt-1", worker_template_id="lt-2",
    subnet_ids=("subnet-a",), scheduler_type="t3.small", worker_types=("c7i.large",), minimum=1, maximum=3, spot=True,
    lifetime_s=3600, user="ubuntu", prefix="/opt/rampart/env",
)  # fmt: skip


@dataclass
class Keeper:
    """Says what the test wants, and remembers what it is asked."""

    told: dict[str, Any]
    is_alive: bool = True
    is_up: bool = True
    asked: list[tuple[str, dict[str, object]]] = field(default_factory=list)

    def ask(self, verb: str, **asked: object) -> Mapping[str, Any]:
        self.asked.append((verb, asked))
        return {"is_up": self.is_up}

    def close(self) -> None:
        self.is_alive = False


class Certifier:
    """Answers as the test says."""

    def __init__(self, refusal: RampartError | None) -> None:
        self.refusal = refusal
        self.ensured: list[str] = []

    def look(self) -> int:
        return 0

    def ensure(self, machine: DaskMachine) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.ensured.append(machine.instance.instance_id)


class Scene:
    """A cluster whose keepers launch into memory: each start has a scheduler and a worker."""

    def __init__(self) -> None:
        self.instances = MemoryInstances(lambda: START)
        self.keepers: list[Keeper] = []
        self.machines: list[Machines] = []
        self.certifier = Certifier(None)
        self.at = 0.0
        self.refusal: RampartError | None = None
        numbers = iter(range(1, 100))
        doors = Ec2ClusterDoors(
            self._keep,
            self.instances,
            Tls(self._certifier, lambda: FILES),
            open_forward=None,
            new_id=lambda: f"start-{next(numbers)}",
            clock=lambda: self.at,
        )
        self.cluster = Ec2Cluster(PLAN, doors, Patience(boot=60.0))

    def live(self) -> list[str]:
        return sorted(each.instance_id for each in self.instances.instances({}) if not each.has_ended)

    def _certifier(self, machines: Machines) -> Certifier:
        self.machines.append(machines)
        return self.certifier

    def _keep(self, plan: Ec2ClusterPlan) -> Keeper:
        for role in ("scheduler", "worker"):
            tags = {"rampart:stack": plan.stack, LAUNCH_TAG: plan.cluster_id}
            name, address = f"i-{plan.cluster_id}-{role}", f"10.0.0.{5 + len(self.keepers)}"
            instance = Instance(name, "running", "", "ami-1", "t3.small", START, tags=tags, private_address=address)
            self.instances.put(instance)
        if self.refusal is not None:
            raise self.refusal
        self.keepers.append(Keeper({"scheduler": {"instance_id": f"i-{plan.cluster_id}-scheduler"}}))
        return self.keepers[-1]


@pytest.fixture
def scene() -> Iterator[Scene]:
    scene = Scene()
    yield scene
    scene.cluster.close()


def test_the_scheduler_is_told_when_its_machine_has_a_certificate(scene: Scene) -> None:
    assert scene.cluster.scheduler() == Scheduler("tls://10.0.0.5:8786", FILES)
    assert scene.certifier.ensured == ["i-start-1-scheduler"]
    assert scene.cluster.scheduler().address == "tls://10.0.0.5:8786"
    assert len(scene.keepers) == 1


def test_the_certifier_is_told_which_machine_is_what(scene: Scene) -> None:
    scene.cluster.scheduler()

    roles = {each.instance.instance_id: each.role for each in scene.machines[0]()}

    assert roles == {"i-start-1-scheduler": DaskRole.SCHEDULER, "i-start-1-worker": DaskRole.WORKER}


@pytest.mark.parametrize("loss", ["its keeper has ended", "its scheduler has ended"])
def test_a_cluster_that_is_lost_is_ended_and_another_one_started(scene: Scene, loss: str) -> None:
    scene.cluster.scheduler()
    scene.cluster.scale(2)
    if loss == "its keeper has ended":
        scene.keepers[0].is_alive = False
    else:
        scene.keepers[0].is_up = False

    assert scene.cluster.scheduler().address == "tls://10.0.0.6:8786"

    assert scene.live() == ["i-start-2-scheduler", "i-start-2-worker"]
    assert scene.keepers[1].asked[0] == ("scale", {"n": 2, "busy": None})


def test_what_a_start_that_failed_has_launched_is_ended(scene: Scene) -> None:
    scene.refusal = CloudError("no machine", code="InsufficientInstanceCapacity")

    with pytest.raises(CloudError, match="no machine"):
        scene.cluster.scheduler()

    assert scene.live() == []


def test_a_machine_that_answers_with_another_key_ends_the_cluster(scene: Scene) -> None:
    scene.certifier.refusal = HostKeyRefused("another key")

    with pytest.raises(HostKeyRefused):
        scene.cluster.scheduler()

    assert scene.live() == []
    assert not scene.keepers[0].is_alive


def test_a_scheduler_that_boots_is_waited_for_and_one_that_boots_too_long_ends_the_cluster(scene: Scene) -> None:
    scene.certifier.refusal = HostUnreachable("it boots")

    for at in (0.0, 59.0):
        scene.at = at
        with pytest.raises(HostUnreachable):
            scene.cluster.scheduler()
    assert len(scene.live()) == 2

    scene.at = 60.0
    with pytest.raises(CloudError, match="did not come up in 60 s: it boots"):
        scene.cluster.scheduler()
    assert scene.live() == []


def test_one_that_was_up_is_not_ended_for_its_silence(scene: Scene) -> None:
    scene.cluster.scheduler()
    scene.certifier.refusal = HostUnreachable("it is silent")
    scene.at = 1e6

    with pytest.raises(HostUnreachable):
        scene.cluster.scheduler()

    assert len(scene.live()) == 2


def test_a_loop_that_is_closed_starts_no_other_cluster(scene: Scene) -> None:
    scene.cluster.scheduler()
    scene.cluster.close()

    with pytest.raises(HostUnreachable, match="closed"):
        scene.cluster.scheduler()

    assert scene.live() == []


def test_more_workers_are_asked_for_at_once_within_the_bounds_and_fewer_not_yet(scene: Scene) -> None:
    scene.cluster.scheduler()
    keeper = scene.keepers[0]
    keeper.asked.clear()

    for wanted in (0, 2, 9, 1):
        scene.cluster.scale(wanted)

    assert [asked["n"] for _, asked in keeper.asked] == [1, 2, 3, 3]


def test_no_worker_may_be_ended_unless_it_is_known_who_has_each_run(scene: Scene) -> None:
    scene.cluster.scheduler()
    keeper = scene.keepers[0]
    keeper.asked.clear()

    scene.cluster.scale(2, ["tls://10.0.0.7:8788"])
    scene.cluster.scale(2, ["tls://10.0.0.7:8788", "10.0.0.8"])
    scene.cluster.scale(0)

    assert [asked["busy"] for _, asked in keeper.asked] == [None, ["10.0.0.7", "10.0.0.8"], []]


@pytest.fixture
def event(tmp_path: Path) -> EventConfig:
    event = event_with({**OPTIONS["dask"], "instance_types": ["c7i.large"]}, tmp_path)
    worker = event.worker.model_copy(update={"worker_type": "dask", "cluster": ClusterKind.EC2})
    return event.model_copy(update={"worker": worker})


def _outputs(**more: Any) -> StackOutputs:
    ids = ("vpc_id", "build_subnet_id", "access", "key_name", "security_group_id", "server_group_id")
    rest = ("builder_group_id", "launch_template_id", "image_pipeline_arn", "image_name", "image_parameter")
    told = {name: name for name in (*ids, *rest, "image_log_group")}
    return StackOutputs(
        **{"stack": "iris-2", "event": "iris", "region": "eu-west-3", "subnet_ids": ("subnet-a",), **told},
        **{"instance_types": (), **more},
    )


def test_a_plan_comes_from_the_event_and_its_stack(event: EventConfig) -> None:
    outputs = _outputs(dask_scheduler_template_id="lt-1", dask_worker_template_id="lt-2")

    plan = plan_of(event, outputs)

    assert (plan.stack, plan.event, plan.subnet_ids) == ("iris-2", "iris", ("subnet-a",))
    assert (plan.scheduler_template_id, plan.worker_template_id) == ("lt-1", "lt-2")
    assert (plan.scheduler_type, plan.worker_types) == ("t3.medium", ("t3.medium", "c7i.large"))
    assert (plan.minimum, plan.maximum, plan.spot, plan.insecure) == (0, 10, True, False)


@pytest.mark.parametrize(
    ("outputs", "hint"),
    [
        (None, "invoke up --event iris"),
        (_outputs(), "invoke up --event iris"),
        (_outputs(waits_for_image=("dask",)), "invoke build-ami --event iris, then invoke up --event iris"),
    ],
)
def test_without_launch_templates_the_next_step_is_told(
    event: EventConfig, outputs: StackOutputs | None, hint: str
) -> None:
    with pytest.raises(AskedWrongly, match="no launch templates") as refused:
        plan_of(event, outputs)

    assert refused.value.hint == hint


def test_the_keeper_gets_what_aws_tools_read_and_nothing_else() -> None:
    outer = {
        "PATH": "/bin",
        "HOME": "/home/me",
        "AWS_PROFILE": "me",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:5000",
        "https_proxy": "http://proxy",
        "DATABASE_URL": "postgresql://secret",
        "PYTHONPATH": "/elsewhere",
    }

    assert keeper_environment(outer) == {
        name: outer[name] for name in ("PATH", "HOME", "AWS_PROFILE", "AWS_ENDPOINT_URL", "https_proxy")
    }
