"""Declare what the instances that build images may do."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import naming, policies
from infra.component import Component
from infra.tags import Labels


@dataclass(frozen=True)
class BuildProfileArgs:
    """What builds may read besides what every build needs: the event's bucket, and exactly these secrets.

    Besides, what lies at the `s3://` addresses `elsewhere`, a folder where one ends in `/`, also encrypted by
    `kms_key`.
    """

    bucket_arn: pulumi.Input[str] | None
    secret_arns: Sequence[pulumi.Input[str]]
    elsewhere: Sequence[str]
    kms_key: str | None
    region: str
    permissions_boundary: str | None
    labels: Labels


class BuildProfile(Component):
    """An instance profile for image builds; never one for hosts that run submissions."""

    profile_name: pulumi.Output[str]
    role_arn: pulumi.Output[str]

    def __init__(self, name: str, args: BuildProfileArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("BuildProfile", name, args.labels, opts)
        role = self._role(args)
        if args.bucket_arn is not None:
            self._allow(role, "read-bucket", pulumi.Output.from_input(args.bucket_arn).apply(policies.reads_bucket))
        if args.secret_arns:
            self._allow(role, "read-secrets", pulumi.Output.all(*args.secret_arns).apply(policies.reads_secrets))
        if args.elsewhere:
            document = policies.reads_elsewhere(args.region, args.elsewhere, args.kms_key)
            self._allow(role, "read-elsewhere", pulumi.Output.from_input(document))
        profile = aws.iam.InstanceProfile(
            self.called("image-build"), role=role.name, tags=self.tags("image-build"), opts=self.inside
        )
        self.profile_name = profile.name
        self.role_arn = role.arn
        self.register_outputs({"profileName": self.profile_name, "roleArn": self.role_arn})

    def _role(self, args: BuildProfileArgs) -> aws.iam.Role:
        partition = naming.partition(args.region)
        role = aws.iam.Role(
            self.called("image-build"),
            description="Instances that build images of the event; never hosts that run submissions",
            assume_role_policy=json.dumps(policies.assumed_by_ec2(partition), sort_keys=True),
            permissions_boundary=args.permissions_boundary,
            tags=self.tags("image-build"),
            opts=self.inside,
        )
        for policy in policies.BUILD_POLICIES:
            aws.iam.RolePolicyAttachment(
                f"{self.called('image-build')}-{policy}",
                role=role.name,
                policy_arn=policies.aws_managed(partition, policy),
                opts=self.inside,
            )
        return role

    def _allow(self, role: aws.iam.Role, what: str, document: pulumi.Output[dict[str, Any]]) -> None:
        aws.iam.RolePolicy(
            self.called(f"image-build-{what}"),
            role=role.name,
            policy=document.apply(lambda value: json.dumps(value, sort_keys=True)),
            opts=self.inside,
        )
