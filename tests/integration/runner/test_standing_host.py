"""A submission runs on an instance that somebody else launched, and leaves it up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import boto3
import pytest

from clients import ssh
from clients.aws.ec2 import Ec2
from clients.keys import new_host_key
from contracts.host_boot import HostKey, render_user_data
from contracts.work import Claimed, HostAddress, Work
from runner.hosts import WayIn
from runner.job.pushed import SUPERVISOR
from runner.workers.standing import Standing, StandingHost, running_instance
from tests.integration.clouds import Cloud

pytestmark = pytest.mark.usefixtures("aws_environment")


def test_an_instance_with_a_known_key_is_used_and_left_running(cloud: Cloud) -> None:
    region = cloud.local.environment["AWS_DEFAULT_REGION"]
    private, public = new_host_key()
    user_data = render_user_data(host_key=HostKey(private, public), lifetime_s=3600)
    instance_id = cloud.launch(UserData=user_data)["InstanceId"]
    try:
        ec2 = Ec2(boto3.Session(region_name=region))
        found = running_instance(ec2, instance_id, region=region, way_in=WayIn())
        host = HostAddress(instance_id, found.address, "ubuntu", host_key=public, key_path=cloud.key_path)
        dial = partial(ssh.connect, ssh_config=Path(cloud.local.environment["RAMPART_SSH_CONFIG"]))
        layout = {"kit_dir": "/kit", "data_dir": "/kit", "python": "/usr/bin/python3", "ramp_test": "/bin/true"}
        transport = dial(host)
        job = ".rampart/jobs/iris-1-1"
        pushed = f"mkdir -p {job}/{SUPERVISOR} && : > {job}/{SUPERVISOR}/__main__.py"
        write = f'{pushed} && printf "%s" "$1" > .rampart/layout.json'
        assert transport.run(("sh", "-c", write, "sh", json.dumps(layout))).exit_code == 0
        here = Path("/nowhere")
        hosts = StandingHost(Standing(host, "iris"), ec2, connect=dial)
        claimed = Claimed(Work(1, "iris", "blue", "trees", 1, here, here, here, 60.0), datetime.now(UTC))
        provisioned = hosts.acquire(claimed)
        assert provisioned.layout.kit_dir == "/kit"
        hosts.release(provisioned)
        assert transport.run(("ls", ".rampart/jobs")).stdout == b""
        transport.close()
        assert not hosts.is_gone(provisioned)
    finally:
        cloud.terminate(instance_id)
