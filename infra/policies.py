"""Write the IAM documents of an event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from contracts.image import ImageStatus
from infra import naming
from infra.tags import STACK, STATUS

BUILD_POLICIES = ("EC2InstanceProfileForImageBuilder", "AmazonSSMManagedInstanceCore")
"""AWS's own policies for an image build instance: fetch components, write its log, be driven by Systems Manager."""
SPOT_FLEET_POLICY = "service-role/AmazonEC2SpotFleetTaggingRole"
"""AWS's own policy for what a SpotFleetRequest does: launch, tag and end machines."""
_IN_THE_CLEAR = {"Bool": {"aws:SecureTransport": "false"}}


def assumed_by_ec2(partition: str) -> dict[str, Any]:
    """Let EC2 instances, and nobody else, take a role."""
    service = "ec2.amazonaws.com.cn" if partition == "aws-cn" else "ec2.amazonaws.com"
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    }


def aws_managed(partition: str, name: str) -> str:
    """Give the ARN of a policy that AWS keeps up to date."""
    return f"arn:{partition}:iam::aws:policy/{name}"


def assumed_by_flow_logs(partition: str, region: str, account: str) -> dict[str, Any]:
    """Let VPC's flow logs take a role, for flow logs of this account and region alone."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "vpc-flow-logs.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": account},
                    "ArnLike": {"aws:SourceArn": f"arn:{partition}:ec2:{region}:{account}:vpc-flow-log/*"},
                },
            }
        ],
    }


def writes_flow_logs(log_group_arn: str) -> dict[str, Any]:
    """Let the service find the log group, and write streams in it. It is declared, so it need not be made."""
    all_groups = log_group_arn.rpartition(":")[0] + ":*"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "logs:DescribeLogGroups", "Resource": all_groups},
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                "Resource": [log_group_arn, f"{log_group_arn}:*"],
            },
        ],
    }


def reads_bucket(bucket_arn: str) -> dict[str, Any]:
    """Let image builds read the event's data and what was too long to be given inline: documents, kits."""
    folders = ("components/", "data/")
    return _document(
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": [f"{bucket_arn}/{folder}*" for folder in folders]},
        _lists(bucket_arn, [f"{folder}*" for folder in folders]),
    )


def reads_elsewhere(region: str, addresses: Sequence[str], kms_key: str | None) -> dict[str, Any]:
    """Let image builds read exactly these `s3://` addresses: objects, and all below those that end in `/`.

    `kms_key` may be what the objects are encrypted with; it is used through S3 alone.
    """
    statements: list[dict[str, Any]] = []
    for address in sorted(set(addresses)):
        bucket, _, key = address.removeprefix("s3://").partition("/")
        arn = f"arn:{naming.partition(region)}:s3:::{bucket}"
        wanted = f"{key}*" if key.endswith("/") else key
        statements.append({"Effect": "Allow", "Action": "s3:GetObject", "Resource": f"{arn}/{wanted}"})
        statements.append(_lists(arn, [wanted]))
    if kms_key is not None:
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        through_s3 = {"StringEquals": {"kms:ViaService": f"s3.{region}.{suffix}"}}
        statements.append({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": kms_key, "Condition": through_s3})
    return _document(*statements)


def reads_secrets(arns: Sequence[str]) -> dict[str, Any]:
    """Let image builds read the values of exactly these secrets."""
    return _document({"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": sorted(arns)})


def tls_only_bucket(bucket_arn: str) -> dict[str, Any]:
    """Deny everybody what is asked of a bucket in the clear."""
    return _document(
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket_arn, f"{bucket_arn}/*"],
            "Condition": _IN_THE_CLEAR,
        }
    )


def tls_only_file_system(file_system_arn: str, access_point_arn: str) -> dict[str, Any]:
    """Let machines that reach a mount target read and write through the access point, with TLS and not as root.

    They have no credentials, so the security group decides who reaches it.
    """
    return _document(
        {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
            "Resource": file_system_arn,
            "Condition": {
                "Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"},
                "StringEquals": {"elasticfilesystem:AccessPointArn": access_point_arn},
            },
        },
        {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "*",
            "Resource": file_system_arn,
            "Condition": _IN_THE_CLEAR,
        },
    )


def assumed_by_image_builder() -> dict[str, Any]:
    """Let Image Builder, and nobody else, take a role."""
    return _document(
        {"Effect": "Allow", "Principal": {"Service": "imagebuilder.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )


def retires_images(partition: str, region: str, *, stack: str, recipe: str) -> dict[str, Any]:
    """Let Image Builder delete what it made for the event: images of recipes named `recipe-...`, AMIs, snapshots.

    Narrower than AWS's own EC2ImageBuilderLifecycleExecutionPolicy, which holds for every image of the account. A
    snapshot has no tag of the event, only Image Builder's. An image that is verified may be in use, which Image
    Builder cannot know: it stays, and is retired by who does.
    """
    made = {"aws:ResourceTag/CreatedBy": "EC2 Image Builder"}
    return _document(
        {
            "Effect": "Allow",
            "Action": ["ec2:DeregisterImage", "ec2:DescribeImageAttribute"],
            "Resource": f"arn:{partition}:ec2:{region}::image/*",
            "Condition": {
                "StringEquals": {**made, f"aws:ResourceTag/{STACK}": stack},
                "StringNotEquals": {f"aws:ResourceTag/{STATUS}": ImageStatus.VERIFIED.value},
            },
        },
        {
            "Effect": "Allow",
            "Action": "ec2:DeleteSnapshot",
            "Resource": f"arn:{partition}:ec2:{region}::snapshot/*",
            "Condition": {"StringEquals": made},
        },
        {
            "Effect": "Allow",
            "Action": "imagebuilder:DeleteImage",
            # a recipe's name is in its images' ARNs, in small letters
            "Resource": f"arn:{partition}:imagebuilder:{region}:*:image/{recipe.lower()}-*",
        },
        # neither of the two takes a resource
        {"Effect": "Allow", "Action": ["ec2:DescribeImages", "tag:GetResources"], "Resource": "*"},
    )


def assumed_by_spot_fleets() -> dict[str, Any]:
    """Let SpotFleetRequests, and nobody else, take a role."""
    return _document(
        {"Effect": "Allow", "Principal": {"Service": "spotfleet.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )


def receives_notices(queue_arn: str, rule_arn: str) -> dict[str, Any]:
    """Let one EventBridge rule send to a queue, and deny everybody what is asked of it in the clear."""
    return _document(
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": queue_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule_arn}},
        },
        {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": queue_arn,
            "Condition": _IN_THE_CLEAR,
        },
    )


def _lists(bucket_arn: str, wanted: list[str]) -> dict[str, Any]:
    """Without it, S3 says of what is not there that it is forbidden."""
    condition = {"StringLike": {"s3:prefix": wanted}}
    return {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": bucket_arn, "Condition": condition}


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}
