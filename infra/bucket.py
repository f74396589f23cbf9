"""Declare the private bucket of an event."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import naming, policies
from infra.component import Component
from infra.tags import Labels

RESULTS = "results/"
OLD_VERSIONS_DAYS = 30
"""How long what was overwritten or deleted can be had back."""
UNFINISHED_UPLOAD_DAYS = 7


@dataclass(frozen=True)
class BucketArgs:
    """How long results stay, and whether the bucket outlives the stack (`keep`) or is emptied and deleted with it."""

    results_days: int
    keep: bool
    labels: Labels


class Bucket(Component):
    """A bucket that nobody but the account reaches, encrypted and over TLS; what is deleted in it can be had back."""

    bucket_name: pulumi.Output[str]
    arn: pulumi.Output[str]

    def __init__(self, name: str, args: BucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Bucket", name, args.labels, opts)
        # what guards a bucket that is kept stays with it
        self._kept = pulumi.ResourceOptions(parent=self, retain_on_delete=args.keep)
        self._logical_name = naming.bucket_name(args.labels.event)
        bucket = aws.s3.Bucket(
            self._logical_name,
            force_destroy=not args.keep,
            tags=args.labels.resource(self._logical_name),
            opts=self._kept,
        )
        self._guard(bucket)
        self._remember(bucket, args.results_days)
        self.bucket_name = bucket.id
        self.arn = bucket.arn
        self.register_outputs({"bucketName": self.bucket_name, "arn": self.arn})

    def _guard(self, bucket: aws.s3.Bucket) -> None:
        closed = aws.s3.BucketPublicAccessBlock(
            f"{self._logical_name}-closed",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._kept,
        )
        aws.s3.BucketOwnershipControls(
            f"{self._logical_name}-owner",
            bucket=bucket.id,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=self._kept,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            f"{self._logical_name}-encryption",
            bucket=bucket.id,
            rules=[
                aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=(
                        aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs(
                            sse_algorithm="AES256"
                        )
                    )
                )
            ],
            opts=self._kept,
        )
        aws.s3.BucketPolicy(
            f"{self._logical_name}-policy",
            bucket=bucket.id,
            policy=bucket.arn.apply(lambda arn: json.dumps(policies.tls_only_bucket(arn), sort_keys=True)),
            # S3 takes one of the two at a time
            opts=pulumi.ResourceOptions.merge(self._kept, pulumi.ResourceOptions(depends_on=[closed])),
        )

    def _remember(self, bucket: aws.s3.Bucket, results_days: int) -> None:
        versioning = aws.s3.BucketVersioning(
            f"{self._logical_name}-versions",
            bucket=bucket.id,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=self._kept,
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{self._logical_name}-lifecycle",
            bucket=bucket.id,
            rules=[_expire_results(results_days), _clear_away()],
            # the rules are on versions
            opts=pulumi.ResourceOptions.merge(self._kept, pulumi.ResourceOptions(depends_on=[versioning])),
        )


def _expire_results(days: int) -> aws.s3.BucketLifecycleConfigurationRuleArgs:
    return aws.s3.BucketLifecycleConfigurationRuleArgs(
        id="results",
        status="Enabled",
        filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=RESULTS),
        expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=days),
    )


def _clear_away() -> aws.s3.BucketLifecycleConfigurationRuleArgs:
    return aws.s3.BucketLifecycleConfigurationRuleArgs(
        id="what-nobody-sees",
        status="Enabled",
        filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix=""),
        expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(expired_object_delete_marker=True),
        noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
            noncurrent_days=OLD_VERSIONS_DAYS
        ),
        abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
            days_after_initiation=UNFINISHED_UPLOAD_DAYS
        ),
    )
