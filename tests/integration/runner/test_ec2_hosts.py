"""Hosts come from EC2 and go back to it, whatever happens on the way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import boto3
import pytest

from clients import ssh
from clients.aws.ec2 import Ec2
from clients.keepalive import Keepalive
from clients.keys import new_host_key
from contracts.errors import BootTimeout, CloudError, HostKeyRefused, HostUnreachable
from contracts.host_boot import HostKey
from contracts.work import Claimed, HostAddress, Work
from runner.hosts import Ec2Hosts, LaunchSettings
from runner.interruption import Interruption
from runner.ports import Transport
from tests.integration.clouds import KEY_NAME, Cloud

pytestmark = pytest.mark.usefixtures("aws_environment")
STACK = {"rampart:stack": "hosts-of-tests"}


@pytest.fixture
def ec2(cloud: Cloud) -> Ec2:
    variables = cloud.local.environment
    return Ec2(boto3.Session(region_name=variables["AWS_DEFAULT_REGION"]))


@pytest.fixture
def pool(cloud: Cloud, ec2: Ec2) -> Callable[..., Ec2Hosts]:
    """Make a host pool on the local cloud; every instance of the test is terminated afterwards by itself."""
    config = Path(cloud.local.environment["RAMPART_SSH_CONFIG"])

    def make(
        connect: Callable[[HostAddress], Transport] | None = None, image_id: str = "", **changed: object
    ) -> Ec2Hosts:
        settings = {
            "stack": STACK["rampart:stack"], "event": "iris", "problem": "iris",
            "instance_type": "t3.medium", "user": "ubuntu", "key_path": cloud.key_path, "key_name": KEY_NAME,
            "boot_timeout_s": 20.0, "remote_kit_folder": "kit",
        } | changed  # fmt: skip
        return Ec2Hosts(
            LaunchSettings(**settings),  # type: ignore[arg-type]
            ec2,
            image=lambda: image_id or cloud.image(),
            connect=connect or partial(ssh.connect, ssh_config=config),
            new_host_key=lambda: HostKey(*new_host_key()),
            now=lambda: datetime.now(UTC),
            interruption=Interruption(),
        )

    return make


def claimed(number: int) -> Claimed:
    here = Path("/nowhere")
    return Claimed(Work(number, "iris", "blue", "trees", 1, here, here, here, 60.0), datetime.now(UTC))


def live(ec2: Ec2) -> list[str]:
    return [found.instance_id for found in ec2.instances(STACK) if not found.has_ended]


def test_an_image_without_a_challenge_is_told_and_its_host_is_ended(pool: Callable[..., Ec2Hosts], ec2: Ec2) -> None:
    with pytest.raises(Exception, match=r"neither ~/.rampart/layout.json nor ramp-test"):
        pool(remote_kit_folder=None).acquire(claimed(1))
    assert live(ec2) == []


def test_a_host_that_never_answers_is_a_boot_timeout_and_is_ended(pool: Callable[..., Ec2Hosts], ec2: Ec2) -> None:
    def nobody_there(host: HostAddress) -> Transport:
        return ssh.connect(dataclasses.replace(host, port=9))

    with pytest.raises(BootTimeout, match="did not answer within 1 s"):
        pool(nobody_there, boot_timeout_s=1.0).acquire(claimed(2))
    assert live(ec2) == []


def test_a_host_that_shows_another_key_is_refused_and_ended(
    pool: Callable[..., Ec2Hosts], ec2: Ec2, cloud: Cloud
) -> None:
    _, another = new_host_key()
    config = Path(cloud.local.environment["RAMPART_SSH_CONFIG"])

    def expecting_another(host: HostAddress) -> Transport:
        return ssh.connect(dataclasses.replace(host, host_key=another), ssh_config=config)

    with pytest.raises(HostKeyRefused):
        pool(expecting_another).acquire(claimed(3))
    assert live(ec2) == []


def test_an_image_that_does_not_exist_is_the_clouds_refusal(pool: Callable[..., Ec2Hosts], ec2: Ec2) -> None:
    with pytest.raises(CloudError) as caught:
        pool(image_id="ami-00000000000000000").acquire(claimed(4))
    assert caught.value.code == "InvalidAMIID.NotFound"
    assert live(ec2) == []


def test_a_terminated_instance_is_gone_and_one_nobody_knows_too(ec2: Ec2, cloud: Cloud) -> None:
    instance_id = cloud.launch()["InstanceId"]
    found = ec2.instance(instance_id)
    assert found is not None
    assert not found.has_ended
    ec2.terminate([instance_id, "i-0123456789abcdef0"])  # a bad id in the batch does not save the others
    ended = ec2.instance(instance_id)
    assert ended is None or ended.has_ended
    assert ec2.instance("i-0123456789abcdef0") is None


def test_a_closed_address_is_unreachable_at_once(cloud: Cloud) -> None:
    _, key = new_host_key()
    with pytest.raises(HostUnreachable):
        ssh.connect(
            HostAddress("i-1", "127.77.77.77", "ubuntu", 9, key, cloud.key_path), keepalive=Keepalive(answer_s=5)
        )
