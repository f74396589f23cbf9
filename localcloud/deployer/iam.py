"""Make IAM's roles, their policies, instance profiles."""

from __future__ import annotations

from localcloud.deployer.handler import Created, Handler, Made, Wanted, or_undone
from localcloud.deployer.shapes import chosen, tag_list


def _create_role(wanted: Wanted) -> Created:
    role = wanted.client("iam").create_role(
        RoleName=wanted.inputs["name"],
        AssumeRolePolicyDocument=wanted.inputs["assumeRolePolicy"],
        Description=wanted.inputs.get("description", ""),
        Tags=tag_list(wanted.inputs.get("tags", {})),
        **chosen(wanted.inputs, "permissionsBoundary", "path", "maxSessionDuration"),
    )["Role"]
    return Created(role["RoleName"], {"arn": role["Arn"], "uniqueId": role["RoleId"]})


def _put_policy(wanted: Wanted) -> Created:
    role, name = wanted.inputs["role"], wanted.inputs["name"]
    wanted.client("iam").put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=wanted.inputs["policy"])
    return Created(f"{role}:{name}", {})


def _policy(made: Made) -> dict[str, str]:
    role, _, name = made.id.partition(":")
    return {"RoleName": role, "PolicyName": name}


def _attach(wanted: Wanted) -> Created:
    role, policy = wanted.inputs["role"], wanted.inputs["policyArn"]
    wanted.client("iam").attach_role_policy(RoleName=role, PolicyArn=policy)
    return Created(f"{role}/{policy}", {})


def _is_attached(made: Made) -> bool:
    attached = made.client("iam").list_attached_role_policies(RoleName=made.inputs["role"])["AttachedPolicies"]
    return made.inputs["policyArn"] in [policy["PolicyArn"] for policy in attached]


def _create_profile(wanted: Wanted) -> Created:
    iam = wanted.client("iam")
    name = wanted.inputs["name"]
    profile = iam.create_instance_profile(InstanceProfileName=name, Tags=tag_list(wanted.inputs.get("tags", {})))[
        "InstanceProfile"
    ]
    with or_undone(lambda: iam.delete_instance_profile(InstanceProfileName=name)):
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=wanted.inputs["role"])
    return Created(name, {"arn": profile["Arn"], "uniqueId": profile["InstanceProfileId"]})


def _delete_profile(made: Made) -> None:
    iam = made.client("iam")
    for role in iam.get_instance_profile(InstanceProfileName=made.id)["InstanceProfile"]["Roles"]:
        iam.remove_role_from_instance_profile(InstanceProfileName=made.id, RoleName=role["RoleName"])
    iam.delete_instance_profile(InstanceProfileName=made.id)


HANDLERS = {
    "aws:iam/role:Role": Handler(
        _create_role,
        lambda made: made.client("iam").get_role(RoleName=made.id),
        lambda made: made.client("iam").delete_role(RoleName=made.id),
        name_input="name",
    ),
    "aws:iam/rolePolicy:RolePolicy": Handler(
        _put_policy,
        lambda made: made.client("iam").get_role_policy(**_policy(made)),
        lambda made: made.client("iam").delete_role_policy(**_policy(made)),
        name_input="name",
        joins=True,
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Handler(
        _attach,
        _is_attached,
        lambda made: made.client("iam").detach_role_policy(
            RoleName=made.inputs["role"], PolicyArn=made.inputs["policyArn"]
        ),
        joins=True,
    ),
    "aws:iam/instanceProfile:InstanceProfile": Handler(
        _create_profile,
        lambda made: made.client("iam").get_instance_profile(InstanceProfileName=made.id),
        _delete_profile,
        name_input="name",
    ),
}
