"""A rented machine restarts as often as its documents ask for, is the same one afterwards, and still ends."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

import boto3
import pytest

from clients import ssh
from clients.aws.ec2 import Ec2
from clients.keys import new_host_key
from contracts.host_boot import HostKey
from contracts.instance import Instance
from contracts.work import HostAddress
from imagebuilder.bake.documents import OverSsh
from imagebuilder.catalogue import Component
from imagebuilder.renting import Place, Renting
from localcloud.machines import Level
from tests.integration.clouds import KEY_NAME, Cloud

RESTARTS = """schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: ByExitCode
        action: ExecuteBash
        inputs: {commands: ['mkdir -p /opt/made; echo turn; mkdir /opt/made/one || exit 0; exit 194']}
      - name: ByAction
        action: Reboot
        inputs: {}
      - name: WhatItIsAndHas
        action: ExecuteBash
        inputs:
          commands:
            - |
              at=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254/}latest
              token=$(curl -fsS -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' "$at/api/token")
              echo "$(curl -fsS -H "X-aws-ec2-metadata-token: $token" "$at/meta-data/instance-id") has $(ls /opt/made)"
  - name: validate
    steps:
      - {name: GoesOn, action: ExecuteBash, inputs: {commands: [echo validated]}}
"""


def renting(cloud: Cloud) -> Renting:
    keys = cloud.environment
    session = boto3.Session(
        aws_access_key_id=keys["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=keys["AWS_SECRET_ACCESS_KEY"],
        region_name=keys["AWS_DEFAULT_REGION"],
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", keys["AWS_ENDPOINT_URL"])
        account = Ec2(session)

    def address_of(instance: Instance, key: str) -> HostAddress:
        return HostAddress(instance.instance_id, instance.address, "ubuntu", 22, key, cloud.key_path)

    return Renting(
        Place("iris", "iris", "ubuntu", KEY_NAME, (), boot_timeout_s=30.0),
        account,
        address_of=address_of,
        connect=partial(ssh.connect, ssh_config=Path(keys["RAMPART_SSH_CONFIG"])),
        new_host_key=lambda: HostKey(*new_host_key()),
    )


def test_steps_go_on_after_restarts_on_the_same_machine_which_still_has_its_end(cloud: Cloud) -> None:
    if cloud.local.level == Level.PLAIN:
        pytest.skip("machines at the level plain share the life of the machine around them")
    log: list[str] = []
    machines = renting(cloud)
    component = Component("own", "1.0.1", RESTARTS, {}, "")
    with machines.rented(cloud.image(), instance_type="t3.small", purpose="restarts", lifetime_s=600) as rented:
        instance_id = rented.instance.instance_id
        reached = OverSsh(machines)(rented, [component], ("build", "validate"), log=log.append, timeout_s=60)
        reached.transport.close()
        calls = cloud.local.machine(instance_id).recorded_calls()
    said = [line.removeprefix("Stdout: ") for line in log if line.startswith("Stdout: ")]
    assert said == ["turn", "turn", f"{instance_id} has one", "validated"]
    ends, restarts = ["-h", "+10"], ["-r", "now"]
    assert [call[1:] for call in calls if call[0] == "shutdown"] == [ends, restarts, ends, restarts, ends]
    assert cloud.describe(instance_id)["State"]["Name"] == "terminated"


def test_a_reboot_that_the_api_is_asked_for_cuts_connections_and_ends_processes(cloud: Cloud) -> None:
    if cloud.local.level == Level.PLAIN:
        pytest.skip("machines at the level plain share the life of the machine around them")
    instance_id = cloud.launch()["InstanceId"]
    with subprocess.Popen(cloud.ssh_command(instance_id, "echo up; exec sleep 600"), stdout=subprocess.PIPE) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == b"up\n"
        cloud.client("ec2").reboot_instances(InstanceIds=[instance_id])
        assert waiting.wait(20) != 0
    assert cloud.ssh(instance_id, "pgrep -x sleep").returncode == 1
    assert cloud.describe(instance_id)["State"]["Name"] == "running"
    cloud.terminate(instance_id)
