"""Make EC2's instances."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from localcloud.deployer.handler import Created, Handler, Made, Wanted
from localcloud.deployer.shapes import arn_of, chosen, pascal, tag_list

_GIVEN = (
    "ebsOptimized",
    "instanceInitiatedShutdownBehavior",
    "instanceType",
    "keyName",
    "metadataOptions",
    "monitoring",
)


def _create(wanted: Wanted) -> Created:
    inputs, ec2 = wanted.inputs, wanted.client("ec2")
    answer = ec2.run_instances(
        MinCount=1,
        MaxCount=1,
        TagSpecifications=_tags(inputs),
        **chosen(inputs, *_GIVEN, ami="ImageId"),
        **_template(inputs),
        **_place(inputs),
        **_root_volume(ec2, inputs),
        **_user_data(inputs),
        **_profile(inputs),
    )
    identity = answer["Instances"][0]["InstanceId"]
    return Created(identity, {**_outputs(ec2, identity), "arn": arn_of(wanted, "ec2", f"instance/{identity}")})


def _template(inputs: Mapping[str, Any]) -> dict[str, Any]:
    if "launchTemplate" not in inputs:
        return {}
    named = chosen(inputs["launchTemplate"], "version", id="LaunchTemplateId", name="LaunchTemplateName")
    return {"LaunchTemplate": named}


def _place(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Whether there is a public address is said of the interface, and then everything else of it too."""
    if "associatePublicIpAddress" not in inputs:
        return chosen(inputs, "subnetId", vpcSecurityGroupIds="SecurityGroupIds", privateIp="PrivateIpAddress")
    interface = chosen(
        inputs,
        "associatePublicIpAddress",
        "subnetId",
        vpcSecurityGroupIds="Groups",
        privateIp="PrivateIpAddress",
    )
    return {"NetworkInterfaces": [{"DeviceIndex": 0, **interface}]}


def _root_volume(ec2: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    if "rootBlockDevice" not in inputs:
        return {}
    [image] = ec2.describe_images(ImageIds=[inputs["ami"]])["Images"]
    volume = pascal({name: value for name, value in inputs["rootBlockDevice"].items() if name != "tags"})
    # EC2 takes the size of the image's snapshot where none is given, moto asks for it
    volume.setdefault("VolumeSize", image["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"])
    return {"BlockDeviceMappings": [{"DeviceName": image["RootDeviceName"], "Ebs": volume}]}


def _user_data(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Give it in clear: boto3 encodes what it sends."""
    if "userDataBase64" in inputs:
        return {"UserData": base64.b64decode(inputs["userDataBase64"])}
    return chosen(inputs, "userData")


def _profile(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {"IamInstanceProfile": {"Name": inputs["iamInstanceProfile"]}} if "iamInstanceProfile" in inputs else {}


def _tags(inputs: Mapping[str, Any]) -> list[dict[str, Any]]:
    kinds = {"instance": inputs.get("tags"), "volume": inputs.get("volumeTags")}
    return [{"ResourceType": kind, "Tags": tag_list(tags)} for kind, tags in kinds.items() if tags]


def _outputs(ec2: Any, identity: str) -> dict[str, Any]:
    described = _described(ec2, identity)
    return {
        "ami": described["ImageId"],
        "availabilityZone": described["Placement"]["AvailabilityZone"],
        "instanceState": described["State"]["Name"],
        "instanceType": described["InstanceType"],
        "keyName": described.get("KeyName", ""),
        "primaryNetworkInterfaceId": described["NetworkInterfaces"][0]["NetworkInterfaceId"],
        "privateDns": described.get("PrivateDnsName", ""),
        "privateIp": described["PrivateIpAddress"],
        "publicDns": described.get("PublicDnsName", ""),
        "publicIp": described.get("PublicIpAddress", ""),
        "subnetId": described["SubnetId"],
        "vpcSecurityGroupIds": [group["GroupId"] for group in described["SecurityGroups"]],
    }


def _described(ec2: Any, identity: str) -> dict[str, Any]:
    answer = ec2.describe_instances(InstanceIds=[identity])
    instance: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
    return instance


def _find(made: Made) -> bool:
    state = _described(made.client("ec2"), made.id)["State"]["Name"]
    return state not in ("shutting-down", "terminated")


HANDLERS = {
    "aws:ec2/instance:Instance": Handler(
        _create,
        _find,
        lambda made: made.client("ec2").terminate_instances(InstanceIds=[made.id]),
    ),
}
