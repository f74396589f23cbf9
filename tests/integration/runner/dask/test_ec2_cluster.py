"""A loop's own Dask cluster, by dask-cloudprovider on the local cloud: launched from our templates, and ended."""

from __future__ import annotations

import base64
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import boto3
import pulumi_aws as aws
import pytest

from clients.aws.ec2 import Ec2
from contracts.dask import TlsFiles
from contracts.dask_ec2 import Ec2ClusterPlan
from contracts.dask_machines import DaskRole
from contracts.errors import CloudError
from contracts.infra import DEFAULT_REGION, DaskCluster
from infra.dask import ClusterArgs, ClusterTemplates
from infra.tags import Labels
from localcloud import LocalCloud
from localcloud.deployer import Deployer
from localcloud.injections import LostAnswer, Market, Quota
from runner.dask.clusters.ec2_cluster import (
    Ec2Cluster,
    Ec2ClusterDoors,
    Machines,
    Patience,
    Tls,
    keeper_environment,
    start_keeper,
)
from runner.dask.clusters.keeper import Keeper
from runner.dask.machines import DaskMachine
from runner.reaping.reaper import Reaper
from tests.integration.clouds import KEY_NAME, Cloud

FILES = TlsFiles(*(Path(f"/nowhere/{name}") for name in ("ca.pem", "client.pem", "client-key.pem")))
STACK = f"loop-{uuid.uuid4().hex[:6]}"
LIFETIME_S = 7200.0


def _until(happens: Callable[[], Any], within_s: float = 30.0) -> Any:
    end = time.monotonic() + within_s
    while not (found := happens()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def outputs(
    local_cloud: LocalCloud, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """What the infrastructure declares for such a cluster."""

    def program() -> Mapping[str, Any]:
        vpc = aws.ec2.Vpc("vpc", cidr_block="10.82.0.0/16")
        subnet = aws.ec2.Subnet(
            "subnet",
            vpc_id=vpc.id,
            cidr_block="10.82.0.0/24",
            availability_zone=f"{DEFAULT_REGION}a",
            map_public_ip_on_launch=True,
        )
        server = aws.ec2.SecurityGroup("server", vpc_id=vpc.id)
        templates = ClusterTemplates(
            "cluster",
            ClusterArgs(
                settings=DaskCluster(
                    scheduler_type="t3.small",
                    max=3,
                    max_lifetime_s=LIFETIME_S,
                    valid_until=datetime(2099, 3, 31, tzinfo=UTC),
                ),
                host_types=("t3.medium",),
                image_id=cloud.image(),
                volume_gib=12,
                user="ubuntu",
                n_threads=1,
                environment_prefix="/opt/rampart/env",
                vpc_id=vpc.id,
                subnet_ids=[subnet.id],
                server_group_id=server.id,
                way_in_group_id=None,
                allowed_cidrs=(IPv4Network("127.0.0.0/8"),),
                key_name=KEY_NAME,
                region=DEFAULT_REGION,
                permissions_boundary=None,
                labels=Labels("iris", STACK),
            ),
        )
        return {
            "scheduler": templates.scheduler_template_id,
            "worker": templates.worker_template_id,
            "group": templates.group_id,
            "subnet": subnet.id,
        }

    deployer = Deployer(tmp_path_factory.mktemp("stack") / "stack.json", local_cloud.environment)
    yield dict(deployer.up(program, project="rampart", stack=STACK).outputs)
    deployer.destroy()


@dataclass
class Certifier:
    """Notes what it is asked to certify."""

    machines: Machines
    certified: list[tuple[str, DaskRole]] = field(default_factory=list)

    def look(self) -> int:
        for machine in self.machines():
            self.certified.append((machine.instance.instance_id, machine.role))
        return len(self.certified)

    def ensure(self, machine: DaskMachine) -> None:
        self.certified.append((machine.instance.instance_id, machine.role))


@dataclass
class Started:
    """A cluster of the test, with what it started."""

    cluster: Ec2Cluster
    keepers: list[Keeper]
    certifiers: list[Certifier]


Start = Callable[..., Started]


@pytest.fixture
def ec2(cloud: Cloud) -> Ec2:
    variables = cloud.environment
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", variables["AWS_ENDPOINT_URL"])
        session = boto3.Session(
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            region_name=variables["AWS_DEFAULT_REGION"],
        )
        return Ec2(session)


@pytest.fixture
def start(cloud: Cloud, ec2: Ec2, outputs: dict[str, Any], tmp_path: Path) -> Iterator[Start]:
    """Make a cluster whose keeper finds the local cloud by its environment alone, as any AWS tool does."""
    made: list[Started] = []

    def make(**changed: Any) -> Started:
        started = Started(None, [], [])  # type: ignore[arg-type]
        settings = {
            "stack": STACK, "event": "iris", "region": cloud.environment["AWS_DEFAULT_REGION"],
            "scheduler_template_id": outputs["scheduler"], "worker_template_id": outputs["worker"],
            "subnet_ids": (outputs["subnet"],), "scheduler_type": "t3.small", "worker_types": ("t3.medium",),
            "minimum": 0, "maximum": 3, "spot": True, "lifetime_s": LIFETIME_S, "user": "ubuntu",
            "prefix": "/opt/rampart/env", "n_threads": 2,
        } | changed  # fmt: skip

        def keep(plan: Ec2ClusterPlan) -> Keeper:
            environment = keeper_environment({**os.environ, **cloud.environment, "RAMPART_DATABASE_URL": "secret"})
            keeper = start_keeper(plan, {}, environment=environment, log=tmp_path / "keeper.log")
            started.keepers.append(keeper)
            return keeper

        def certifier(machines: Machines) -> Certifier:
            started.certifiers.append(Certifier(machines))
            return started.certifiers[-1]

        doors = Ec2ClusterDoors(keep, ec2, Tls(certifier, lambda: FILES), open_forward=None)
        started.cluster = Ec2Cluster(Ec2ClusterPlan.model_validate(settings), doors, Patience(boot=60.0, idle=0.0))
        made.append(started)
        return started

    yield make
    for started in made:
        started.cluster.close()


def _live(ec2: Ec2) -> list[str]:
    return [each.instance_id for each in ec2.instances({"rampart:stack": STACK}) if not each.is_released]


def _workers(started: Started) -> list[dict[str, str]]:
    return list(started.keepers[-1].ask("look")["workers"])


def test_machines_are_launched_from_the_templates_scaled_and_ended(
    cloud: Cloud, ec2: Ec2, outputs: dict[str, Any], start: Start
) -> None:
    started = start(on_demand_base=1, max_price_usd="0.05")
    cloud.local.inject(LostAnswer(action="RunInstances"), count=1)  # it is asked again, and nothing launched twice

    scheduler = started.cluster.scheduler()
    assert len(_live(ec2)) == 1
    started.cluster.scale(2)
    workers = _until(lambda: (found := _workers(started)) and len(found) == 2 and found)

    told = started.keepers[-1].told["scheduler"]
    assert (scheduler.address, scheduler.tls) == (f"tls://{told['address']}:8786", FILES)
    assert started.certifiers[-1].certified[0] == (told["instance_id"], DaskRole.SCHEDULER)
    described = {
        name: cloud.describe(name) for name in (told["instance_id"], *(each["instance_id"] for each in workers))
    }
    by_id = {name: _looked_at(cloud, one) for name, one in described.items()}
    of_scheduler = by_id.pop(told["instance_id"])
    of_workers = list(by_id.values())

    assert of_scheduler["type"] == "t3.small"
    assert {each["type"] for each in of_workers} == {"t3.medium"}
    assert of_scheduler["market"] == "on-demand"
    assert sorted(each["market"] for each in of_workers) == ["on-demand", "spot"]
    for each in (of_scheduler, *of_workers):
        assert (each["tokens"], each["encrypted"], each["profile"], each["key"]) == ("required", True, None, KEY_NAME)
        assert (each["image"], each["subnet"]) == (cloud.image(), outputs["subnet"])
        assert outputs["group"] in each["groups"]
        tags = each["tags"]
        assert (tags["rampart:stack"], tags["rampart:event"]) == (STACK, "iris")
        assert tags["rampart:max-lifetime-s"] == f"{LIFETIME_S:.0f}"
        assert tags["rampart:launch"]
        left = datetime.fromisoformat(tags["rampart:expires-at"]) - datetime.now(UTC)
        assert timedelta(seconds=LIFETIME_S - 120) < left <= timedelta(seconds=LIFETIME_S)
        assert each["volume_tags"]["rampart:stack"] == STACK
        assert len(each["user_data"]) < 16 * 1024
        assert "BEGIN" not in each["user_data"]
    assert of_scheduler["tags"]["Name"] == "rampart-iris-dask-scheduler"
    for each in of_workers:
        assert each["tags"]["Name"] == "rampart-iris-dask-worker"
        assert f"dask worker tls://{told['address']}:8786 " in each["user_data"]
        assert "OMP_NUM_THREADS=2" in each["user_data"]

    _scales_down_to_the_busy_one(cloud, started, workers)
    _replaces_one_that_was_lost(cloud, started)
    started.cluster.close()
    started.cluster.close()
    assert _live(ec2) == []


def _looked_at(cloud: Cloud, one: Mapping[str, Any]) -> dict[str, Any]:
    client = cloud.client("ec2")
    volume_id = one["BlockDeviceMappings"][0]["Ebs"]["VolumeId"]
    volume = client.describe_volumes(VolumeIds=[volume_id])["Volumes"][0]
    asked = client.describe_instance_attribute(InstanceId=one["InstanceId"], Attribute="userData")
    return {
        "type": one["InstanceType"],
        "market": one.get("InstanceLifecycle", "on-demand"),
        "tokens": one["MetadataOptions"]["HttpTokens"],
        "encrypted": volume["Encrypted"],
        "volume_tags": {tag["Key"]: tag["Value"] for tag in volume["Tags"]},
        "profile": one.get("IamInstanceProfile"),
        "key": one["KeyName"],
        "image": one["ImageId"],
        "subnet": one["SubnetId"],
        "groups": [group["GroupId"] for group in one["SecurityGroups"]],
        "tags": {tag["Key"]: tag["Value"] for tag in one["Tags"]},
        "user_data": base64.b64decode(asked["UserData"]["Value"]).decode(),
    }


def _scales_down_to_the_busy_one(cloud: Cloud, started: Started, workers: list[dict[str, str]]) -> None:
    """Who has a run stays; where nobody knows who has one, all stay."""
    started.cluster.scale(1)
    assert len(_workers(started)) == 2
    busy, idle = workers
    started.cluster.scale(1, [f"tls://{busy['address']}:8788"])
    _until(lambda: _workers(started) == [busy])
    _until(lambda: cloud.describe(idle["instance_id"])["State"]["Name"] == "terminated")


def _replaces_one_that_was_lost(cloud: Cloud, started: Started) -> None:
    (lost,) = _workers(started)
    cloud.local.lose(lost["instance_id"])
    assert _workers(started) == []
    started.cluster.scale(1)
    _until(lambda: [each for each in _workers(started) if each != lost])


def test_what_a_killed_keeper_leaves_is_the_reapers_and_ended_when_the_loop_closes(ec2: Ec2, start: Start) -> None:
    started = start(minimum=1)
    started.cluster.scheduler()
    _until(lambda: len(_workers(started)) == 1)

    os.killpg(started.keepers[-1].pid, signal.SIGKILL)
    _until(lambda: not started.keepers[-1].is_alive)

    left = _live(ec2)
    reaper = partial(Reaper, ec2, stack=STACK, sleep=lambda _: None)
    assert len(left) == 2
    assert sorted(each.instance_id for each in reaper(now=lambda: datetime.now(UTC)).live()) == sorted(left)
    later = reaper(now=lambda: datetime.now(UTC) + timedelta(seconds=LIFETIME_S))
    assert sorted(each.instance.instance_id for each in later.doomed(later.live())) == sorted(left)

    started.cluster.close()
    assert _live(ec2) == []


def test_a_keeper_whose_dispatcher_is_gone_ends_its_machines(ec2: Ec2, start: Start) -> None:
    started = start(minimum=1)
    started.cluster.scheduler()

    started.keepers[-1]._input.close()

    _until(lambda: not started.keepers[-1].is_alive)
    assert _live(ec2) == []


def test_a_scheduler_that_cannot_be_launched_leaves_nothing(cloud: Cloud, ec2: Ec2, start: Start) -> None:
    started, missing = start(minimum=1), cloud.local.inject(Quota(Market.ON_DEMAND, above=0))

    with pytest.raises(CloudError, match=r"EC2 gives no t3\.small at the moment") as refused:
        started.cluster.scheduler()
    cloud.local.undo(missing)

    assert refused.value.code == "VcpuLimitExceeded"
    assert _live(ec2) == []


def test_a_worker_that_cannot_be_launched_is_told_and_launched_when_there_is_one(cloud: Cloud, start: Start) -> None:
    started, missing = start(), cloud.local.inject(Quota(Market.SPOT, above=0))
    started.cluster.scheduler()
    started.cluster.scale(1)

    def is_told() -> bool:
        try:
            started.cluster.scale(1)
        except CloudError as error:
            return error.code == "MaxSpotInstanceCountExceeded"
        return False

    _until(is_told)
    cloud.local.undo(missing)
    started.cluster.scale(1)
    _until(lambda: len(_workers(started)) == 1)
