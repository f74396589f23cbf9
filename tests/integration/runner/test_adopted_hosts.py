"""A dispatcher that takes over finds the hosts of the one before it: no instance is launched twice or left behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import boto3
import pytest

from clients import ssh
from clients.aws.ec2 import Ec2
from clients.keys import new_host_key
from contracts.errors import HostGone
from contracts.host_boot import HostKey
from contracts.instance import LaunchAnswer, LaunchRequest
from contracts.work import Adopted, Claimed, Provisioned, claimed_of
from runner.hosts import Ec2Hosts, LaunchSettings
from runner.interruption import Interruption
from runner.progress import Stage
from tests import filled_database
from tests.contract import store_fixtures
from tests.contract.store_fixtures import Bench
from tests.integration.clouds import KEY_NAME, Cloud

pytestmark = pytest.mark.usefixtures("aws_environment")
STACK = {"rampart:stack": "adopted-hosts"}


class Killed(BaseException):
    """The dispatcher is killed."""


class DiesOnTheAnswer(Ec2):
    """EC2 launches, and whoever asked does not live to hear of it."""

    def launch(self, request: LaunchRequest, *, again: bool = False) -> LaunchAnswer:
        super().launch(request, again=again)
        raise Killed


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    url = filled_database.place(tmp_path / "database" / "event.db")
    with store_fixtures.sql_bench(tmp_path, url, lease_s=0) as bench:  # every lease can be taken over at once
        yield bench


def pool(cloud: Cloud, ec2: Ec2, bench: Bench) -> Ec2Hosts:
    settings = LaunchSettings(
        stack=STACK["rampart:stack"], event="iris", problem="iris", instance_type="t3.medium",
        user="ubuntu", key_path=cloud.key_path, key_name=KEY_NAME, boot_timeout_s=20.0, remote_kit_folder="kit",
    )  # fmt: skip
    return Ec2Hosts(
        settings,
        ec2,
        image=cloud.image,
        connect=partial(ssh.connect, ssh_config=Path(cloud.environment["RAMPART_SSH_CONFIG"])),
        new_host_key=lambda: HostKey(*new_host_key()),
        now=lambda: datetime.now(UTC),
        interruption=Interruption(),
        launches=bench.store,
    )


def adopted(bench: Bench) -> Adopted:
    (one,) = bench.store.adopt("iris", 5)
    return one


def test_a_launch_whose_answer_never_came_gives_one_instance_which_is_reached_after_each_takeover(
    cloud: Cloud, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # this machine's image holds no kit: where it lies is another test's matter
    monkeypatch.setattr("runner.hosts.booting.find_layout", lambda *_, **__: store_fixtures.LAYOUT)
    session = boto3.Session(region_name=cloud.environment["AWS_DEFAULT_REGION"])
    ec2 = Ec2(session)
    bench.submit("one")
    with pytest.raises(Killed):
        pool(cloud, DiesOnTheAnswer(session), bench).acquire(bench.claim())

    second, claimed = pool(cloud, ec2, bench), adopted(bench).value
    assert isinstance(claimed, Claimed)
    provisioned = second.acquire(claimed)
    (instance,) = ec2.instances(STACK)
    assert instance.instance_id == provisioned.host.host_id
    bench.store.stage_started(claimed.work, Stage.PUSH, instance.instance_id, after=provisioned)

    third, value = pool(cloud, ec2, bench), adopted(bench).value
    assert isinstance(value, Provisioned)
    transport = third.connect(value)
    assert transport.run(["echo", "here"]).text == "here\n"
    transport.close()
    third.release(value)
    assert third.is_gone(value)
    with pytest.raises(HostGone):
        third.acquire(claimed_of(value))
