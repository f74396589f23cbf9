"""How a host is launched."""

from __future__ import annotations

import base64

import pytest
import yaml

from infra.hosts import Hosts, HostsArgs
from infra.tags import Labels
from tests.unit.infra.recording import Registration, record


@pytest.fixture(scope="module")
def template() -> Registration:
    args = HostsArgs(
        instance_type="t3.medium",
        volume_gib=40,
        key_name="key",
        security_group_id="sg-hosts",
        user="ubuntu",
        lifetime_s=7200,
        labels=Labels("iris", "iris", "physics"),
    )

    def declare() -> None:
        Hosts("hosts", args)

    return record(declare).only(":LaunchTemplate")


def test_the_templates_name_stays_what_it_was(template: Registration) -> None:
    assert template.name == "rampart-iris-host"


def test_a_host_is_guarded_encrypted_and_gone_when_shut_down(template: Registration) -> None:
    assert template.inputs["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
        "instanceMetadataTags": "disabled",
    }
    assert template.inputs["instanceInitiatedShutdownBehavior"] == "terminate"
    (volume,) = template.inputs["blockDeviceMappings"]
    assert volume == {
        "deviceName": "/dev/sda1",
        "ebs": {"volumeType": "gp3", "volumeSize": 40, "encrypted": "true", "deleteOnTermination": "true"},
    }


def test_a_host_has_no_profile_and_its_image_and_subnet_are_chosen_at_launch(template: Registration) -> None:
    # with an interface in the template EC2 refuses groups and a subnet beside it
    assert not {"iamInstanceProfile", "imageId", "networkInterfaces", "placement"} & set(template.inputs)
    assert template.inputs["vpcSecurityGroupIds"] == ["sg-hosts"]
    assert template.inputs["keyName"] == "key"


def test_what_is_launched_by_hand_ends_itself_and_makes_a_host_key_of_its_own(template: Registration) -> None:
    text = base64.b64decode(template.inputs["userData"], validate=True).decode()
    config = yaml.safe_load(text)

    assert text.startswith("#cloud-config\n")
    assert config["runcmd"] == [["shutdown", "-h", "+120"]]
    assert (config["ssh_deletekeys"], config["ssh_genkeytypes"]) == (True, ["ed25519"])
    assert "ssh_keys" not in config


def test_everything_that_is_launched_says_whose_it_is_and_who_pays(template: Registration) -> None:
    whose = {"Name": template.name, "rampart:event": "iris", "rampart:stack": "iris", "rampart:cost-center": "physics"}

    assert {each["resourceType"]: each["tags"] for each in template.inputs["tagSpecifications"]} == {
        "instance": whose,
        "volume": whose,
        "network-interface": whose,
    }
    assert template.inputs["tags"] == {**whose, "rampart:managed-by": "pulumi"}
