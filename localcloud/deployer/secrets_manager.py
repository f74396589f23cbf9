"""Make Secrets Manager's secrets with their values."""

from __future__ import annotations

from localcloud.deployer.handler import Created, Handler, Made, Wanted, left_to_another
from localcloud.deployer.shapes import chosen, tag_list


def _create_secret(wanted: Wanted) -> Created:
    answer = wanted.client("secretsmanager").create_secret(
        Name=wanted.inputs["name"],
        Tags=tag_list(wanted.inputs.get("tags", {})),
        **chosen(wanted.inputs, "description", "kmsKeyId"),
    )
    return Created(answer["ARN"], {"arn": answer["ARN"]})


def _find_secret(made: Made) -> bool:
    return "DeletedDate" not in made.client("secretsmanager").describe_secret(SecretId=made.id)


def _put_value(wanted: Wanted) -> Created:
    secret = wanted.inputs["secretId"]
    answer = wanted.client("secretsmanager").put_secret_value(
        SecretId=secret, **chosen(wanted.inputs, "secretString", "versionStages")
    )
    version = answer["VersionId"]
    return Created(f"{secret}|{version}", {"arn": answer["ARN"], "versionId": version})


def _find_value(made: Made) -> bool:
    """A value that has been followed by another is still one of the secret's versions."""
    found = made.client("secretsmanager").describe_secret(SecretId=made.inputs["secretId"])
    return made.outputs["versionId"] in found.get("VersionIdsToStages", {})


HANDLERS = {
    "aws:secretsmanager/secret:Secret": Handler(
        _create_secret,
        _find_secret,
        # a recovery window is for secrets that matter: here it would only keep the name from being used again
        lambda made: made.client("secretsmanager").delete_secret(SecretId=made.id, ForceDeleteWithoutRecovery=True),
        name_input="name",
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": Handler(
        _put_value,
        _find_value,
        left_to_another,  # it goes with its secret: the current version of one cannot be taken away
    ),
}
