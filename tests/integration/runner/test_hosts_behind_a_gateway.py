"""Hosts are launched, reached and ended behind a gateway whose key was read from its console."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import boto3
import pytest

from clients import ssh
from clients.aws.console import Console
from clients.aws.ec2 import Ec2
from clients.keepalive import Keepalive
from clients.keys import new_host_key
from contracts.errors import BootTimeout, HostKeyRefused, HostUnreachable
from contracts.host_boot import HostKey, render_user_data
from contracts.infra import Access
from contracts.work import Claimed, HostAddress, Provisioned, Work
from localcloud.injections import Partition
from runner.hosts import Ec2Hosts, LaunchSettings, WayIn
from runner.interruption import Interruption
from tests.contract import store_fixtures
from tests.integration.clouds import KEY_NAME, Cloud

pytestmark = pytest.mark.usefixtures("aws_environment")
STACK = "behind-a-gateway"
IMPATIENT = Keepalive(every_s=0.2, silence_s=1.0, look_s=0.1, answer_s=5.0)


@pytest.fixture(autouse=True)
def any_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's image holds no kit: where it lies is another test's matter."""
    monkeypatch.setattr("runner.hosts.booting.find_layout", lambda *_, **__: store_fixtures.LAYOUT)


@pytest.fixture
def session(cloud: Cloud) -> boto3.Session:
    return boto3.Session(region_name=cloud.environment["AWS_DEFAULT_REGION"])


@pytest.fixture
def gateway(cloud: Cloud, session: boto3.Session) -> Iterator[HostAddress]:
    """A jump host, as the stack declares it."""
    instance = cloud.launch(UserData=render_user_data(lifetime_s=None))
    instance_id, address = instance["InstanceId"], instance["PublicIpAddress"]
    key = Console(session).host_key(instance_id)
    yield HostAddress(instance_id, address, "ubuntu", host_key=key, key_path=cloud.key_path)
    cloud.terminate(instance_id)


def pool(cloud: Cloud, session: boto3.Session, gateway: HostAddress, *, boot_timeout_s: float = 20.0) -> Ec2Hosts:
    settings = LaunchSettings(
        stack=STACK, event="iris", problem="iris", instance_type="t3.medium", user="ubuntu",
        key_path=cloud.key_path, key_name=KEY_NAME, boot_timeout_s=boot_timeout_s,
        way_in=WayIn(Access.GATEWAY, gateway=gateway),
    )  # fmt: skip
    config = Path(cloud.environment["RAMPART_SSH_CONFIG"])
    return Ec2Hosts(
        settings,
        Ec2(session),
        image=cloud.image,
        connect=partial(ssh.connect, ssh_config=config, gateways=ssh.Gateways(), keepalive=IMPATIENT),
        new_host_key=lambda: HostKey(*new_host_key()),
        now=lambda: datetime.now(UTC),
        interruption=Interruption(),
    )


def claimed(number: int) -> Claimed:
    here = Path("/nowhere")
    return Claimed(Work(number, "iris", "blue", "trees", 1, here, here, here, 60.0), datetime.now(UTC))


@contextmanager
def acquired(hosts: Ec2Hosts, number: int) -> Iterator[Provisioned]:
    provisioned = hosts.acquire(claimed(number))
    try:
        yield provisioned
    finally:
        hosts.release(provisioned)


def test_a_jobs_command_runs_on_a_host_behind_the_gateway(
    cloud: Cloud, session: boto3.Session, gateway: HostAddress
) -> None:
    hosts = pool(cloud, session, gateway)
    with acquired(hosts, 1) as provisioned:
        assert provisioned.host.via == gateway
        assert provisioned.host.address == cloud.describe(provisioned.host.host_id)["PrivateIpAddress"]
        transport = hosts.connect(provisioned)
        wait = "exec 9>lock && flock -x 9 && sleep 0.3 && echo done"
        assert transport.run(["sh", "-c", wait]).text == "done\n"
        transport.close()
    assert hosts.is_gone(provisioned)


def test_a_run_is_taken_up_over_the_gateway_that_replaced_the_one_before(
    cloud: Cloud, session: boto3.Session, gateway: HostAddress
) -> None:
    hosts = pool(cloud, session, gateway)
    with acquired(hosts, 2) as provisioned:
        lost = replace(gateway, host_id="i-0123456789abcdef0", address="127.15.0.9")
        kept = replace(provisioned, host=replace(provisioned.host, via=lost))
        transport = hosts.connect(kept)
        assert transport.run(["echo", "here"]).text == "here\n"
        transport.close()


def test_a_gateway_that_is_cut_off_is_found_out_and_used_again_when_it_is_back(
    cloud: Cloud, session: boto3.Session, gateway: HostAddress
) -> None:
    hosts = pool(cloud, session, gateway)
    with acquired(hosts, 3) as provisioned:
        transport = hosts.connect(provisioned)
        cut = cloud.local.inject(Partition(gateway.host_id))
        with pytest.raises(HostUnreachable):
            transport.run(["sleep", "30"])
        transport.close()
        cloud.local.undo(cut)
        again = hosts.connect(provisioned)
        assert again.run(["echo", "here"]).text == "here\n"
        again.close()


def test_a_host_that_is_cut_off_behind_the_gateway_is_found_out(
    cloud: Cloud, session: boto3.Session, gateway: HostAddress
) -> None:
    hosts = pool(cloud, session, gateway)
    with acquired(hosts, 4) as provisioned:
        transport = hosts.connect(provisioned)
        cut = cloud.local.inject(Partition(provisioned.host.host_id))
        with pytest.raises(HostUnreachable):
            transport.run(["sleep", "30"])
        transport.close()
        cloud.local.undo(cut)


def test_an_impostor_of_the_gateway_is_refused_and_no_host_left(
    cloud: Cloud, session: boto3.Session, gateway: HostAddress
) -> None:
    _, other = new_host_key()
    with pytest.raises(HostKeyRefused, match=gateway.host_id):
        pool(cloud, session, replace(gateway, host_key=other)).acquire(claimed(5))
    assert all(found.has_ended for found in Ec2(session).instances({"rampart:stack": STACK}))


def test_a_gateway_that_is_gone_is_a_boot_timeout_that_names_it(
    cloud: Cloud, session: boto3.Session, gateway: HostAddress
) -> None:
    cloud.terminate(gateway.host_id)
    with pytest.raises(BootTimeout, match=f"{gateway.host_id} at .* does not answer"):
        pool(cloud, session, gateway, boot_timeout_s=1.0).acquire(claimed(6))
