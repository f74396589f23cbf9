"""Make EC2's launch templates."""

from __future__ import annotations

from typing import Any

from localcloud.deployer.handler import Created, Handler, Wanted
from localcloud.deployer.shapes import arn_of, chosen, pascal, tag_specifications

_OF_THE_TEMPLATE = {"name", "description", "tags", "region", "updateDefaultVersion", "defaultVersion"}


def _create(wanted: Wanted) -> Created:
    answer = wanted.client("ec2").create_launch_template(
        LaunchTemplateName=wanted.inputs["name"],
        VersionDescription=wanted.inputs.get("description", ""),
        LaunchTemplateData=_data(wanted),
        TagSpecifications=tag_specifications(wanted, "launch-template"),
    )
    template = answer["LaunchTemplate"]
    versions = {"latestVersion": template["LatestVersionNumber"], "defaultVersion": template["DefaultVersionNumber"]}
    identity = template["LaunchTemplateId"]
    return Created(identity, {**versions, "arn": arn_of(wanted, "ec2", f"launch-template/{identity}")})


def _data(wanted: Wanted) -> dict[str, Any]:
    """Give what an instance is launched with."""
    inputs = {name: value for name, value in wanted.inputs.items() if name not in _OF_THE_TEMPLATE}
    groups = inputs.pop("vpcSecurityGroupIds", None)
    interfaces = inputs.pop("networkInterfaces", None)
    data: dict[str, Any] = pascal(inputs)
    if groups:
        data["SecurityGroupIds"] = groups
    if interfaces:
        data["NetworkInterfaces"] = [_interface(each) for each in interfaces]
    return data


def _interface(declared: dict[str, Any]) -> dict[str, Any]:
    groups = chosen(declared, securityGroups="Groups")
    return {"DeviceIndex": 0, **pascal({k: v for k, v in declared.items() if k != "securityGroups"}), **groups}


HANDLERS = {
    "aws:ec2/launchTemplate:LaunchTemplate": Handler(
        _create,
        # moto answers an unknown id with an empty list, AWS with an error
        lambda made: made.client("ec2").describe_launch_templates(LaunchTemplateIds=[made.id])["LaunchTemplates"] != [],
        lambda made: made.client("ec2").delete_launch_template(LaunchTemplateId=made.id),
        name_input="name",
    ),
}
