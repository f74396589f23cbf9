"""Inputs as the provider names them become parameters as AWS's API takes them."""

from __future__ import annotations

from localcloud.deployer.shapes import camel, chosen, pascal

BLOCK = {"deviceName": "/dev/sda1", "ebs": {"encrypted": "true", "deleteOnTermination": "false", "volumeSize": 20}}


def test_ec2_capitalises_keys_and_takes_booleans() -> None:
    assert pascal([BLOCK]) == [
        {"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True, "DeleteOnTermination": False, "VolumeSize": 20}}
    ]


def test_image_builder_keeps_keys_and_takes_booleans() -> None:
    assert camel(BLOCK)["ebs"] == {"encrypted": True, "deleteOnTermination": False, "volumeSize": 20}


def test_tags_are_nobodys_keys() -> None:
    tags = {"encrypted": "true", "rampart:event": "iris"}

    assert camel({"amiTags": tags}) == {"amiTags": tags}
    assert pascal({"tags": tags}) == {
        "Tags": [{"Key": "encrypted", "Value": "true"}, {"Key": "rampart:event", "Value": "iris"}]
    }


def test_text_that_looks_like_a_boolean_stays_text() -> None:
    assert camel({"description": "true"}) == {"description": "true"}


def test_abbreviations_are_spelt_as_the_api_spells_them() -> None:
    assert pascal({"vcpuCount": {"min": 2}, "memoryMib": {"min": 4096}}) == {
        "VCpuCount": {"Min": 2},
        "MemoryMiB": {"Min": 4096},
    }
    assert pascal({"id": "results", "sseAlgorithm": "AES256"}) == {"ID": "results", "SSEAlgorithm": "AES256"}


def test_only_what_is_given_is_chosen_by_the_names_of_the_api() -> None:
    inputs = {"subnetId": "subnet-1", "ami": "ami-1", "other": True}

    assert chosen(inputs, "subnetId", "keyName", ami="ImageId", userData="UserData") == {
        "SubnetId": "subnet-1",
        "ImageId": "ami-1",
    }
