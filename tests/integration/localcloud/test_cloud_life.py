"""Instances and images live and end as on EC2."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from contracts.errors import UnknownName
from contracts.infra import DEFAULT_REGION
from tests.integration.clouds import KEY_NAME, Cloud


def host_key_of(tmp_path: Path) -> tuple[str, str]:
    """A fresh host key: private file's text, public line."""
    path = tmp_path / "host_key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    return path.read_text(), path.with_suffix(".pub").read_text().strip()


def until(cloud: Cloud, instance_id: str, state: str) -> dict[str, Any]:
    """What EC2's waiters do, at the pace of a local cloud."""
    deadline = time.monotonic() + 20
    while (instance := cloud.describe(instance_id))["State"]["Name"] != state:
        assert time.monotonic() < deadline, f"never {state}: {instance['State']}"
        time.sleep(0.02)
    return instance


def refused(call: Callable[..., Any], **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    code: str = error.value.response["Error"]["Code"]
    return code


def test_host_key_users_key_and_commands_come_from_the_user_data(cloud: Cloud, tmp_path: Path) -> None:
    private, public = host_key_of(tmp_path)
    login_key = cloud.key_path.with_suffix(".pub").read_text().strip()
    config = {
        "ssh_deletekeys": True,
        "ssh_keys": {"ed25519_private": private, "ed25519_public": public},
        "ssh_authorized_keys": [login_key],
        "runcmd": [["sh", "-c", "id -u; echo booted"]],
    }
    asked = cloud.client("ec2").run_instances(
        MinCount=1, MaxCount=1, ImageId=cloud.image(), UserData="#cloud-config\n" + json.dumps(config)
    )
    instance = cloud.describe(asked["Instances"][0]["InstanceId"])
    address, instance_id = instance["PublicIpAddress"], instance["InstanceId"]
    known = (Path(cloud.environment["RAMPART_SSH_CONFIG"]).parent / "known_hosts").read_text()
    pinned = re.compile(rf"^\[?{re.escape(address)}\]?(:\d+)? {re.escape(' '.join(public.split()[:2]))}$", re.MULTILINE)
    assert pinned.search(known), known
    assert cloud.ssh(address, "true").returncode == 0
    deadline = time.monotonic() + 20
    while "booted" not in (output := console(cloud, instance_id)):
        assert time.monotonic() < deadline, output
        time.sleep(0.02)
    assert " ".join(public.split()[:2]) in output
    assert "PRIVATE KEY" not in output
    cloud.terminate(instance_id)


def console(cloud: Cloud, instance_id: str) -> str:
    text: str = cloud.client("ec2").get_console_output(InstanceId=instance_id)["Output"]
    return text


@pytest.mark.parametrize(("behaviour", "state"), [("terminate", "terminated"), ("stop", "stopped")])
def test_a_shutdown_on_the_host_ends_the_instance_as_its_launch_says(cloud: Cloud, behaviour: str, state: str) -> None:
    instance = cloud.launch(InstanceInitiatedShutdownBehavior=behaviour)
    cloud.ssh(instance["PublicIpAddress"], "sudo shutdown -h now")
    ended = until(cloud, instance["InstanceId"], state)
    assert ended["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"
    cloud.terminate(instance["InstanceId"])


def test_a_shutdown_planned_at_boot_leaves_the_instance_up_until_then(cloud: Cloud) -> None:
    planned = ["shutdown", "-h", "+60"]
    config = "#cloud-config\n" + json.dumps({"runcmd": [planned]})
    instance = cloud.launch(UserData=config, InstanceInitiatedShutdownBehavior="terminate")
    machine = cloud.local.machine(instance["InstanceId"])
    wait = 'until pgrep -f "sleep 360[0]"; do sleep 0.02; done'
    waited = cloud.ssh(instance["PublicIpAddress"], f"timeout 20 sh -c '{wait}'; sudo shutdown -c")
    assert waited.returncode == 0, waited.stderr
    assert machine.recorded_calls()[0] == planned
    assert cloud.describe(instance["InstanceId"])["State"]["Name"] == "running"
    cloud.terminate(instance["InstanceId"])


def test_a_shutdown_on_a_host_that_is_gone_already_is_nobodys_fault(cloud: Cloud) -> None:
    """As when the whole cloud ends at that moment."""
    instance_id = cloud.launch(InstanceInitiatedShutdownBehavior="stop")["InstanceId"]
    cloud.local._hosts.down(instance_id)
    cloud.local._instances.shut_down_inside(instance_id)
    cloud.terminate(instance_id)


def test_a_stopped_instance_refuses_connections_and_comes_back_as_it_was(cloud: Cloud) -> None:
    instance = cloud.launch()
    instance_id, address = instance["InstanceId"], instance["PublicIpAddress"]
    ec2 = cloud.client("ec2")
    cloud.ssh(address, "echo kept > ~/note")
    ec2.stop_instances(InstanceIds=[instance_id])
    assert cloud.ssh(address, "true").returncode == 255
    ec2.start_instances(InstanceIds=[instance_id])
    assert cloud.describe(instance_id)["PublicIpAddress"] == address
    assert cloud.ssh(address, "cat ~/note").stdout == b"kept\n"
    cloud.terminate(instance_id)


def test_terminating_twice_is_fine(cloud: Cloud) -> None:
    instance_id = cloud.launch()["InstanceId"]
    cloud.terminate(instance_id)
    cloud.terminate(instance_id)
    with pytest.raises(UnknownName):
        cloud.local.machine(instance_id)


def test_a_repeated_launch_call_gives_the_same_instance(cloud: Cloud) -> None:
    first = cloud.launch(ClientToken="launch-1")
    assert cloud.launch(ClientToken="launch-1")["InstanceId"] == first["InstanceId"]
    run = cloud.client("ec2").run_instances
    other = {"MinCount": 1, "MaxCount": 2, "ImageId": cloud.image(), "ClientToken": "launch-1"}
    assert refused(run, **other) == "IdempotentParameterMismatch"
    cloud.terminate(first["InstanceId"])


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"InstanceType": "t3.imaginary"}, "InvalidParameterValue"),
        ({"KeyName": "unknown"}, "InvalidKeyPair.NotFound"),
        ({"LaunchTemplate": {"LaunchTemplateId": "lt-0123456789abcdef0"}}, "InvalidLaunchTemplateId.NotFound"),
    ],
)
def test_what_ec2_would_refuse_is_refused(cloud: Cloud, parameters: dict[str, str], code: str) -> None:
    asked = {"ImageId": cloud.image(), "InstanceType": "t3.small", "MinCount": 1, "MaxCount": 1, **parameters}
    assert refused(cloud.client("ec2").run_instances, **asked) == code


def test_a_call_the_local_cloud_lacks_is_answered_in_words(cloud: Cloud) -> None:
    call = cloud.client("ec2").describe_fleet_history
    assert refused(call, FleetId="fleet-0", StartTime="2026-01-01T00:00:00Z") == "UnsupportedOperation"


def test_a_service_the_local_cloud_lacks_is_answered_in_words(cloud: Cloud) -> None:
    session = boto3.Session(aws_access_key_id="a", aws_secret_access_key="b", region_name=DEFAULT_REGION)
    builder: Any = session.client("imagebuilder", endpoint_url=cloud.environment["AWS_ENDPOINT_URL"])
    for call, parameters in (
        (builder.list_images, {}),  # a POST
        (builder.get_image, {"imageBuildVersionArn": "arn:aws:imagebuilder:eu-west-3:1:image/a/1.0.0/1"}),
    ):
        with pytest.raises(ClientError, match="AWS_ENDPOINT_URL_IMAGEBUILDER") as error:
            call(**parameters)
        assert error.value.response["Error"]["Code"] == "UnsupportedOperation"


def test_an_instant_fleet_launches_hosts_as_its_template_says(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    template = ec2.create_launch_template(
        LaunchTemplateName="instant-hosts",
        LaunchTemplateData={
            "KeyName": KEY_NAME,
            "InstanceType": "t3.small",
            "InstanceInitiatedShutdownBehavior": "terminate",
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        },
    )["LaunchTemplate"]
    asked: dict[str, Any] = {
        "Type": "instant",
        "ClientToken": "fleet-1",
        "TargetCapacitySpecification": {"TotalTargetCapacity": 2, "DefaultTargetCapacityType": "on-demand"},
        "LaunchTemplateConfigs": [
            {
                "LaunchTemplateSpecification": {
                    "LaunchTemplateId": template["LaunchTemplateId"],
                    "Version": "$Latest",
                },
                "Overrides": [{"ImageId": cloud.image(), "InstanceType": "t3.medium"}],
            }
        ],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "rampart:launch", "Value": "1"}]}],
    }
    ids = [name for group in ec2.create_fleet(**asked)["Instances"] for name in group["InstanceIds"]]
    again = [name for group in ec2.create_fleet(**asked)["Instances"] for name in group["InstanceIds"]]
    assert len(ids) == 2
    assert again == ids
    for instance_id in ids:
        instance = cloud.describe(instance_id)
        assert cloud.ssh(instance["PublicIpAddress"], "true").returncode == 0
        assert {"Key": "rampart:launch", "Value": "1"} in instance["Tags"]
        assert instance["MetadataOptions"]["HttpTokens"] == "required"
        behaviour = ec2.describe_instance_attribute(
            InstanceId=instance_id, Attribute="instanceInitiatedShutdownBehavior"
        )
        assert behaviour["InstanceInitiatedShutdownBehavior"] == {"Value": "terminate"}
    cloud.terminate(*ids)
    ec2.delete_launch_template(LaunchTemplateId=template["LaunchTemplateId"])


def test_a_spot_fleet_needs_no_strategy_and_its_requests_end_with_the_instances(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    data = {"ImageId": cloud.image(), "InstanceType": "t3.small", "KeyName": KEY_NAME}
    ec2.create_launch_template(LaunchTemplateName="spot", LaunchTemplateData=data)
    fleet = ec2.create_fleet(
        Type="instant",
        SpotOptions={"MaxTotalPrice": "1"},
        TargetCapacitySpecification={"TotalTargetCapacity": 1, "DefaultTargetCapacityType": "spot"},
        LaunchTemplateConfigs=[{"LaunchTemplateSpecification": {"LaunchTemplateName": "spot", "Version": "$Latest"}}],
    )
    instance = cloud.describe(fleet["Instances"][0]["InstanceIds"][0])
    assert instance["InstanceLifecycle"] == "spot"
    assert cloud.ssh(instance["PublicIpAddress"], "true").returncode == 0
    cloud.terminate(instance["InstanceId"])
    asked = {"SpotInstanceRequestIds": [instance["SpotInstanceRequestId"]]}
    request = ec2.describe_spot_instance_requests(**asked)["SpotInstanceRequests"][0]
    assert (request["State"], request["Status"]["Code"]) == ("closed", "instance-terminated-by-user")
    ec2.delete_launch_template(LaunchTemplateName="spot")


def test_a_stopped_instance_can_become_an_image(cloud: Cloud) -> None:
    source = cloud.launch()
    cloud.ssh(source["PublicIpAddress"], "echo inside > ~/note; sync")
    ec2 = cloud.client("ec2")
    ec2.stop_instances(InstanceIds=[source["InstanceId"]])
    image_id = ec2.create_image(InstanceId=source["InstanceId"], Name="stopped 1")["ImageId"]
    cloud.terminate(source["InstanceId"])
    copy = cloud.launch(
        ImageId=ec2.copy_image(SourceImageId=image_id, SourceRegion=DEFAULT_REGION, Name="copy of stopped 1")["ImageId"]
    )
    ec2.deregister_image(ImageId=image_id)
    assert cloud.ssh(copy["PublicIpAddress"], "cat ~/note").stdout == b"inside\n"
    cloud.terminate(copy["InstanceId"])


def test_an_image_carries_what_its_instance_had(cloud: Cloud) -> None:
    source = cloud.launch()
    cloud.ssh(source["PublicIpAddress"], "echo inside > ~/note")
    ec2 = cloud.client("ec2")
    tags = [{"Key": "rampart:event", "Value": "iris"}]
    image_id = ec2.create_image(
        InstanceId=source["InstanceId"],
        Name="iris 1",
        TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in ("image", "snapshot")],
    )["ImageId"]
    name_again = {"InstanceId": source["InstanceId"], "Name": "iris 1"}
    assert refused(ec2.create_image, **name_again) == "InvalidAMIName.Duplicate"
    cloud.terminate(source["InstanceId"])
    image = ec2.describe_images(Owners=["self"], Filters=[{"Name": "tag:rampart:event", "Values": ["iris"]}])["Images"][
        0
    ]
    assert (image["ImageId"], image["State"]) == (image_id, "available")
    copy = cloud.launch(ImageId=image_id)
    assert cloud.ssh(copy["PublicIpAddress"], "cat ~/note").stdout == b"inside\n"
    fresh = cloud.launch()
    assert cloud.ssh(fresh["PublicIpAddress"], "cat ~/note").returncode != 0
    cloud.terminate(copy["InstanceId"], fresh["InstanceId"])
    ec2.deregister_image(ImageId=image_id)


def test_a_spot_notice_is_seen_on_the_host_and_the_instance_ends(cloud: Cloud) -> None:
    spot = {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}}
    instance = cloud.launch(InstanceMarketOptions=spot)
    instance_id, address = instance["InstanceId"], instance["PublicIpAddress"]
    assert metadata(cloud, address, "meta-data/spot/instance-action") == "404"
    cloud.local.rebalance(instance_id)
    cloud.local.spot_notice(instance_id)
    assert json.loads(metadata(cloud, address, "meta-data/spot/instance-action"))["action"] == "terminate"
    assert "noticeTime" in metadata(cloud, address, "meta-data/events/recommendations/rebalance")
    cloud.local.spot_notice(instance_id, seconds=0)
    ended = until(cloud, instance_id, "terminated")
    assert ended["StateReason"]["Code"] == "Server.SpotInstanceTermination"


def test_a_lost_instance_is_gone_at_once(cloud: Cloud) -> None:
    instance = cloud.launch()
    cloud.local.lose(instance["InstanceId"])
    assert cloud.describe(instance["InstanceId"])["State"]["Name"] == "terminated"
    assert cloud.ssh(instance["PublicIpAddress"], "true").returncode == 255


def test_an_instance_knows_itself(cloud: Cloud) -> None:
    instance = cloud.launch(UserData="#cloud-config\n{}\n")
    address = instance["PublicIpAddress"]
    assert metadata(cloud, address, "meta-data/instance-id") == instance["InstanceId"]
    assert metadata(cloud, address, "meta-data/local-ipv4") == address
    assert metadata(cloud, address, "user-data") == "#cloud-config\n{}\n"
    cloud.terminate(instance["InstanceId"])


_ASK = """
import os, sys, urllib.error, urllib.request
base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254/") + "latest/"
ask = urllib.request.Request(base + "api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
token = urllib.request.urlopen(ask, timeout=10).read().decode()
ask = urllib.request.Request(base + sys.argv[1], headers={"X-aws-ec2-metadata-token": token})
try:
    print(urllib.request.urlopen(ask, timeout=10).read().decode(), end="")
except urllib.error.HTTPError as error:
    print(error.code, end="")
"""


def metadata(cloud: Cloud, address: str, path: str) -> str:
    """Ask on the host as any AWS tool would: a token first. Gives the value, or the status where there is none."""
    done = cloud.ssh(address, shlex.join([sys.executable, "-I", "-c", _ASK, path]))
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()
