"""Publish the AMI of a build as its distribution configuration says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from localcloud.imagebuilder import arns
from localcloud.imagebuilder.clients import Clients
from localcloud.imagebuilder.refusals import invalid
from localcloud.imagebuilder.registry import Record

_VARIABLE = re.compile(r"\{\{\s*imagebuilder:(\w+)\s*\}\}")


def check(distributions: list[Record], region: str) -> None:
    """Refuse what the local cloud does not distribute, before anything is built."""
    for distribution in distributions:
        if distribution["region"] != region:
            raise invalid(f"The local cloud distributes within {region} only, not to {distribution['region']}.")
        for member in ("containerDistributionConfiguration", "s3ExportConfiguration", "fastLaunchConfigurations"):
            if distribution.get(member):
                raise invalid(f"The local cloud does not have {member}.")
        _fill(
            distribution.get("amiDistributionConfiguration", {}).get("name", ""), {"buildDate": "", "buildVersion": ""}
        )


def image_name(distribution: Mapping[str, Any], recipe_name: str, *, build_date: str, build_version: str) -> str:
    """The AMI's name: the configured one with its variables filled, else the recipe's with the build date."""
    template = distribution.get("amiDistributionConfiguration", {}).get("name")
    date = build_date.replace(":", "-")
    if template is None:
        return f"{recipe_name} {date}"
    return _fill(template, {"buildDate": date, "buildVersion": build_version})


def mark(clients: Clients, image_id: str, distribution: Mapping[str, Any], recipe: Record, image_arn: str) -> None:
    """Put the tags on the AMI, with them the word that it was tested, then share it."""
    ami = distribution.get("amiDistributionConfiguration", {})
    tags = {
        **recipe.get("amiTags", {}),
        **ami.get("amiTags", {}),
        "CreatedBy": "EC2 Image Builder",
        "Ec2ImageBuilderArn": image_arn,
    }
    ec2 = clients.of("ec2")
    ec2.create_tags(Resources=[image_id], Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    permission = ami.get("launchPermission", {})
    added = [{"UserId": user} for user in permission.get("userIds", [])]
    added += [{"Group": group} for group in permission.get("userGroups", [])]
    if added:
        ec2.modify_image_attribute(ImageId=image_id, LaunchPermission={"Add": added})


def publish(clients: Clients, image_id: str, distribution: Mapping[str, Any]) -> None:
    """Tell those who wait for the newest AMI: SSM parameters first, then launch templates."""
    for parameter in distribution.get("ssmParameterConfigurations", []):
        clients.of("ssm").put_parameter(
            Name=parameter["parameterName"],
            Value=image_id,
            Type="String",
            DataType=parameter.get("dataType", "aws:ec2:image"),
            Overwrite=True,
        )
    for template in distribution.get("launchTemplateConfigurations", []):
        _new_template_version(clients.of("ec2"), image_id, template)


def ami_record(image_id: str, name: str, region: str) -> Record:
    """The AMI as GetImage shows it."""
    state = {"status": "AVAILABLE"}
    return {"region": region, "image": image_id, "name": name, "accountId": arns.ACCOUNT, "state": state}


def _new_template_version(ec2: Any, image_id: str, configuration: Mapping[str, Any]) -> None:
    template_id = configuration["launchTemplateId"]
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=template_id, Versions=["$Default"])
    data = {**versions["LaunchTemplateVersions"][0]["LaunchTemplateData"], "ImageId": image_id}
    made = ec2.create_launch_template_version(LaunchTemplateId=template_id, LaunchTemplateData=data)
    if configuration.get("setDefaultVersion", True):
        number = made["LaunchTemplateVersion"]["VersionNumber"]
        ec2.modify_launch_template(LaunchTemplateId=template_id, DefaultVersion=str(number))


def _fill(template: str, values: Mapping[str, str]) -> str:
    def value(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise invalid(f"The AMI name's variable imagebuilder:{found[1]} is none of {', '.join(values)}.")
        return values[found[1]]

    return _VARIABLE.sub(value, template)
