"""The machine or the endpoint through which private hosts are reached."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from contracts.errors import AskedWrongly
from contracts.infra.network import UBUNTU, Gateway
from infra.connect_endpoint import ConnectEndpoint, ConnectEndpointArgs
from infra.gateway import JumpHost, JumpHostArgs
from infra.tags import Labels
from tests.unit.infra import promises
from tests.unit.infra.recording import Recording, record

LABELS = Labels(event="iris", stack="iris")


def _jump_host(**changes: Any) -> Recording:
    values: dict[str, Any] = {
        "instance_type": "t3.nano",
        "image": "ami-0abc1234def567890",
        "user": "ubuntu",
        "subnet_id": "subnet-1",
        "security_group_id": "sg-1",
        "key_name": "key",
        "labels": LABELS,
    }

    def program() -> dict[str, Any]:
        gateway = JumpHost("gateway", JumpHostArgs(**{**values, **changes}))
        return {"id": gateway.instance_id, "address": gateway.address}

    return record(program)


def test_the_gateway_is_one_guarded_machine_with_a_public_address() -> None:
    recording = _jump_host()
    (instance,) = recording.resources()

    assert instance.inputs["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
        "instanceMetadataTags": "disabled",
    }
    assert instance.inputs["rootBlockDevice"] == {
        "volumeType": "gp3",
        "encrypted": True,
        "deleteOnTermination": True,
    }
    assert instance.inputs["associatePublicIpAddress"] is True
    assert instance.inputs["vpcSecurityGroupIds"] == ["sg-1"]
    assert (instance.inputs["subnetId"], instance.inputs["keyName"]) == ("subnet-1", "key")
    assert instance.inputs["instanceInitiatedShutdownBehavior"] == "terminate"
    assert "iamInstanceProfile" not in instance.inputs
    assert recording.outputs == {"id": "id-rampart-iris-jump-host", "address": "203.0.113.77"}


def test_the_gateway_and_its_disk_say_whose_they_are() -> None:
    recording = _jump_host()

    assert promises.untagged(recording) == []
    assert promises.misnamed(recording) == []
    assert recording.only(":Instance").inputs["volumeTags"]["rampart:event"] == "iris"


def test_the_gateway_makes_its_own_host_key_and_stays_up() -> None:
    user_data = _jump_host(user="ec2-user").only(":Instance").inputs["userData"]
    config = yaml.safe_load(user_data)

    assert len(user_data.encode()) < 16 * 1024
    assert config["ssh_deletekeys"] is True
    assert "ssh_keys" not in config
    assert "shutdown" not in user_data
    assert "PRIVATE KEY" not in user_data


def test_the_usual_image_is_looked_up_by_its_parameter() -> None:
    recording = _jump_host(image=UBUNTU)

    assert [each.inputs["name"] for each in recording.lookups] == [Gateway().image.removeprefix("ssm:")]
    assert recording.only(":Instance").inputs["ami"] == "ami-0123456789abcdef0"


def test_an_image_is_taken_by_its_id_without_a_question() -> None:
    recording = _jump_host()

    assert recording.lookups == []
    assert recording.only(":Instance").inputs["ami"] == "ami-0abc1234def567890"


def test_a_newer_image_does_not_end_a_gateway_in_use() -> None:
    assert _jump_host().only(":Instance").ignored == ("ami",)


@pytest.mark.parametrize(
    "image", ["arn:aws:imagebuilder:eu-west-3:aws:image/ubuntu-server-24-lts-x86/x.x.x", "ssm:", "ubuntu"]
)
def test_an_image_no_machine_is_launched_from_is_refused(image: str) -> None:
    with pytest.raises(AskedWrongly, match=r"infra\.gateway\.image is "):
        _jump_host(image=image)


def test_hosts_see_the_endpoints_address_and_not_the_clients() -> None:
    args = ConnectEndpointArgs(subnet_id="subnet-1", security_group_id="sg-1", labels=LABELS)
    recording = record(lambda: {"id": ConnectEndpoint("endpoint", args).endpoint_id})
    (endpoint,) = recording.resources()

    assert endpoint.type == "aws:ec2transitgateway/instanceConnectEndpoint:InstanceConnectEndpoint"
    assert endpoint.inputs["preserveClientIp"] is False
    assert endpoint.inputs["subnetId"] == "subnet-1"
    assert endpoint.inputs["securityGroupIds"] == ["sg-1"]
    assert promises.untagged(recording) == []
    assert recording.outputs == {"id": "id-rampart-iris-connect-endpoint"}


def test_the_reaper_passes_it_by_for_it_has_no_end_but_the_stacks() -> None:
    assert _jump_host().only(":Instance").inputs["tags"]["rampart:keep"] == "as long as the stack"
