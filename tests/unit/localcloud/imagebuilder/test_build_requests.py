"""What a build asks of EC2 and how its AMI is called."""

from __future__ import annotations

import pytest

from localcloud.imagebuilder import distribution
from localcloud.imagebuilder.compute import launch_request
from localcloud.imagebuilder.refusals import Refusal


def test_an_instance_is_launched_as_the_configuration_says() -> None:
    infrastructure = {
        "instanceProfileName": "builder",
        "instanceTypes": ["t3.small", "t3.large"],
        "subnetId": "subnet-1",
        "securityGroupIds": ["sg-1"],
        "instanceMetadataOptions": {"httpTokens": "required", "httpPutResponseHopLimit": 1},
        "resourceTags": {"rampart:event": "iris"},
    }
    recipe = {"blockDeviceMappings": [{"deviceName": "/dev/sda1", "ebs": {"volumeSize": 30, "encrypted": True}}]}
    request = launch_request(infrastructure, recipe, image_id="ami-1", name="Build", image_arn="arn")
    tags = {tag["Key"]: tag["Value"] for tag in request.pop("TagSpecifications")[0]["Tags"]}
    assert request == {
        "ImageId": "ami-1",
        "InstanceType": "t3.small",
        "MinCount": 1,
        "MaxCount": 1,
        "IamInstanceProfile": {"Name": "builder"},
        "SubnetId": "subnet-1",
        "SecurityGroupIds": ["sg-1"],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 30, "Encrypted": True}}],
    }
    assert tags["rampart:event"] == "iris"
    assert tags["Ec2ImageBuilderArn"] == "arn"


def test_an_image_is_named_by_the_distribution_or_by_the_recipe() -> None:
    named = {
        "amiDistributionConfiguration": {"name": "iris {{ imagebuilder:buildDate }} {{imagebuilder:buildVersion}}"}
    }
    date = "2026-11-20T21:45:03.123Z"
    full = distribution.image_name(named, "recipe", build_date=date, build_version="1.0.0/1")
    assert full == "iris 2026-11-20T21-45-03.123Z 1.0.0/1"
    assert distribution.image_name({}, "recipe", build_date=date, build_version="1.0.0/1") == (
        "recipe 2026-11-20T21-45-03.123Z"
    )


def test_a_name_with_an_unknown_variable_is_refused() -> None:
    wrong = {"region": "here", "amiDistributionConfiguration": {"name": "a {{ imagebuilder:colour }}"}}
    with pytest.raises(Refusal, match="imagebuilder:colour"):
        distribution.check([wrong], "here")
