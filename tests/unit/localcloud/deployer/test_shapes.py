"""Inputs as the provider names them become parameters as AWS's API takes them."""

from __future__ import annotations

from localcloud.deployer.shapes import camel, pascal

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
