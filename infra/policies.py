"""Write the IAM documents of an event."""

from __future__ import annotations

from typing import Any

BUILD_POLICIES = ("EC2InstanceProfileForImageBuilder", "AmazonSSMManagedInstanceCore")
"""AWS's own policies for an image build instance: fetch components, write its log, be driven by Systems Manager."""


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
