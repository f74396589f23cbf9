"""Make what lets one into EC2's machines: key pairs, security groups, their rules."""

from __future__ import annotations

from typing import Any

from localcloud.deployer.handler import Created, Handler, Made, Wanted, left_to_another, or_undone
from localcloud.deployer.shapes import arn_of, chosen, tag_list, tag_specifications

_OTHER_SIDES = {
    "cidrIpv4": ("IpRanges", "CidrIp"),
    "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "prefixListId": ("PrefixListIds", "PrefixListId"),
    "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
}
"""What a rule may let in or out: the API's list with the key in it."""


def _create_key_pair(wanted: Wanted) -> Created:
    answer = wanted.client("ec2").import_key_pair(
        KeyName=wanted.inputs["keyName"],
        PublicKeyMaterial=wanted.inputs["publicKey"].encode(),
        TagSpecifications=tag_specifications(wanted, "key-pair"),
    )
    # the provider's id of a key pair is its name
    return Created(answer["KeyName"], {"keyPairId": answer["KeyPairId"], "fingerprint": answer["KeyFingerprint"]})


def _create_group(wanted: Wanted) -> Created:
    ec2 = wanted.client("ec2")
    group = ec2.create_security_group(
        GroupName=wanted.inputs["name"],
        Description=wanted.inputs.get("description", "Managed by Pulumi"),
        VpcId=wanted.inputs["vpcId"],
        TagSpecifications=tag_specifications(wanted, "security-group"),
    )["GroupId"]
    with or_undone(lambda: ec2.delete_security_group(GroupId=group)):
        _take_away_all_egress(ec2, group)
    return Created(group, {"arn": arn_of(wanted, "ec2", f"security-group/{group}")})


def _adopt_default_group(wanted: Wanted) -> Created:
    """Take every rule from the group that each VPC has from the start, as Pulumi's provider does."""
    ec2 = wanted.client("ec2")
    [group] = ec2.describe_security_groups(
        Filters=[
            {"Name": "vpc-id", "Values": [wanted.inputs["vpcId"]]},
            {"Name": "group-name", "Values": ["default"]},
        ]
    )["SecurityGroups"]
    identity = group["GroupId"]
    if group["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=identity, IpPermissions=group["IpPermissions"])
    _take_away_all_egress(ec2, identity)
    if tags := wanted.inputs.get("tags"):
        ec2.create_tags(Resources=[identity], Tags=tag_list(tags))
    return Created(identity, {"name": "default", "arn": arn_of(wanted, "ec2", f"security-group/{identity}")})


def _take_away_all_egress(ec2: Any, group: str) -> None:
    """Do as Pulumi's provider does: nothing goes out of a new group."""
    everything = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissionsEgress"]
    if everything:
        ec2.revoke_security_group_egress(GroupId=group, IpPermissions=everything)


def _rule(wanted: Wanted, kind: str) -> dict[str, Any]:
    inputs = wanted.inputs
    described = chosen(inputs, "description")
    other_sides = {
        kind: [{key: inputs[name], **described}] for name, (kind, key) in _OTHER_SIDES.items() if name in inputs
    }
    permission = {"IpProtocol": inputs["ipProtocol"], **chosen(inputs, "fromPort", "toPort"), **other_sides}
    return {
        "GroupId": inputs["securityGroupId"],
        "IpPermissions": [permission],
        "TagSpecifications": tag_specifications(wanted, kind),
    }


def _create_ingress(wanted: Wanted) -> Created:
    answer = wanted.client("ec2").authorize_security_group_ingress(**_rule(wanted, "security-group-rule"))
    return _created_rule(answer)


def _create_egress(wanted: Wanted) -> Created:
    answer = wanted.client("ec2").authorize_security_group_egress(**_rule(wanted, "security-group-rule"))
    return _created_rule(answer)


def _created_rule(answer: dict[str, Any]) -> Created:
    rule = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    return Created(rule, {"securityGroupRuleId": rule})


def _find_rule(made: Made) -> bool:
    rules = made.client("ec2").describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [made.inputs["securityGroupId"]]}]
    )["SecurityGroupRules"]
    return made.id in [rule["SecurityGroupRuleId"] for rule in rules]


HANDLERS = {
    "aws:ec2/keyPair:KeyPair": Handler(
        _create_key_pair,
        lambda made: made.client("ec2").describe_key_pairs(KeyNames=[made.id]),
        lambda made: made.client("ec2").delete_key_pair(KeyName=made.id),
        name_input="keyName",
    ),
    "aws:ec2/securityGroup:SecurityGroup": Handler(
        _create_group,
        lambda made: made.client("ec2").describe_security_groups(GroupIds=[made.id]),
        lambda made: made.client("ec2").delete_security_group(GroupId=made.id),
        name_input="name",
    ),
    "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup": Handler(
        _adopt_default_group,
        lambda made: made.client("ec2").describe_security_groups(GroupIds=[made.id]),
        left_to_another,  # it goes with its VPC, and never before
    ),
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": Handler(
        _create_ingress,
        _find_rule,
        lambda made: made.client("ec2").revoke_security_group_ingress(
            GroupId=made.inputs["securityGroupId"], SecurityGroupRuleIds=[made.id]
        ),
        joins=True,
    ),
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": Handler(
        _create_egress,
        _find_rule,
        lambda made: made.client("ec2").revoke_security_group_egress(
            GroupId=made.inputs["securityGroupId"], SecurityGroupRuleIds=[made.id]
        ),
        joins=True,
    ),
}
