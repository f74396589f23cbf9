"""What deploying each type of any service but EC2 takes, by Pulumi's token."""

from __future__ import annotations

from infra.permissions.ec2_rules import EFS_INTERFACES
from infra.permissions.rules import ROLE, Kind, Rule, change, elsewhere, look, named, pass_role, stand_in

_ROLE = (ROLE,)
_PROFILE = ("arn:{partition}:iam::*:instance-profile/{own}",)
_TO_EC2 = pass_role("{ec2}")
_TO_IMAGE_BUILDER = pass_role("imagebuilder.amazonaws.com")

ROLES: dict[str, tuple[Rule, ...]] = {
    "aws:iam/role:Role": (
        elsewhere(Kind.MAKE_ROLES, "iam", _ROLE, "CreateRole"),
        elsewhere(
            Kind.ROLES,
            "iam",
            _ROLE,
            "DeleteRole",
            "GetRole",
            "ListAttachedRolePolicies",
            "ListInstanceProfilesForRole",
            "ListRolePolicies",
            "TagRole",
            "UntagRole",
            "UpdateAssumeRolePolicy",
            "UpdateRole",
        ),
    ),
    "aws:iam/rolePolicy:RolePolicy": (
        elsewhere(Kind.MAKE_ROLES, "iam", _ROLE, "PutRolePolicy"),
        elsewhere(Kind.ROLES, "iam", _ROLE, "DeleteRolePolicy", "GetRolePolicy"),
    ),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": (
        elsewhere(Kind.AWS_POLICIES, "iam", _ROLE, "AttachRolePolicy", "DetachRolePolicy"),
        elsewhere(Kind.ROLES, "iam", _ROLE, "ListAttachedRolePolicies"),
    ),
    "aws:iam/instanceProfile:InstanceProfile": (
        elsewhere(
            Kind.ROLES,
            "iam",
            _PROFILE,
            "AddRoleToInstanceProfile",
            "CreateInstanceProfile",
            "DeleteInstanceProfile",
            "GetInstanceProfile",
            "RemoveRoleFromInstanceProfile",
            "TagInstanceProfile",
            "UntagInstanceProfile",
        ),
        _TO_EC2,
    ),
}


def _image_builder(kind: str, verb: str, *verbs: str) -> Rule:
    """What any type of Image Builder takes: `kind` as ARNs name it, `verb` as actions do."""
    own = (f"{kind}/{{own}}",)
    usual = (f"Create{verb}", f"Delete{verb}", f"Get{verb}", "ListTagsForResource", "TagResource", "UntagResource")
    return named(Kind.IMAGES, "imagebuilder", own, *usual, *verbs)


BUILDS: dict[str, tuple[Rule, ...]] = {
    # a document that is too long to be given inline is read from the bucket in our name
    "aws:imagebuilder/component:Component": (_image_builder("component", "Component"),),
    "aws:imagebuilder/imageRecipe:ImageRecipe": (
        _image_builder("image-recipe", "ImageRecipe"),
        look("ec2", "DescribeImages"),
        Rule(Kind.PARAMETERS, ("ssm:GetParameter",)),
    ),
    "aws:imagebuilder/infrastructureConfiguration:InfrastructureConfiguration": (
        _image_builder(
            "infrastructure-configuration", "InfrastructureConfiguration", "UpdateInfrastructureConfiguration"
        ),
        elsewhere(Kind.ROLES, "iam", _PROFILE, "GetInstanceProfile"),
        _TO_EC2,
    ),
    "aws:imagebuilder/distributionConfiguration:DistributionConfiguration": (
        _image_builder("distribution-configuration", "DistributionConfiguration", "UpdateDistributionConfiguration"),
    ),
    "aws:imagebuilder/imagePipeline:ImagePipeline": (
        _image_builder("image-pipeline", "ImagePipeline", "UpdateImagePipeline"),
        elsewhere(
            Kind.AMAZON_IMAGES, "imagebuilder", ("arn:{partition}:imagebuilder:{region}:aws:workflow/*",), "GetWorkflow"
        ),
        _TO_IMAGE_BUILDER,
    ),
    "aws:imagebuilder/lifecyclePolicy:LifecyclePolicy": (
        _image_builder("lifecycle-policy", "LifecyclePolicy", "UpdateLifecyclePolicy"),
        _TO_IMAGE_BUILDER,
    ),
}

LOGS: dict[str, tuple[Rule, ...]] = {
    "aws:cloudwatch/logGroup:LogGroup": (
        named(
            Kind.LOGS,
            "logs",
            (
                "log-group:/aws/imagebuilder/rampart-{event}-*",
                "log-group:/rampart/{event}/*",
            ),
            "CreateLogGroup",
            "DeleteLogGroup",
            "DeleteRetentionPolicy",
            "ListTagsForResource",
            "PutRetentionPolicy",
            "TagResource",
            "UntagResource",
        ),
        look("logs", "DescribeLogGroups"),
    ),
}


def _bucket(*verbs: str) -> Rule:
    return elsewhere(Kind.BUCKET, "s3", ("arn:{partition}:s3:::{bucket}",), *verbs)


def _objects(*verbs: str) -> Rule:
    return elsewhere(Kind.BUCKET, "s3", ("arn:{partition}:s3:::{bucket}/*",), *verbs)


STORAGE: dict[str, tuple[Rule, ...]] = {
    "aws:s3/bucket:Bucket": (
        _bucket(
            "CreateBucket",
            "DeleteBucket",
            "GetAccelerateConfiguration",
            "GetBucketAcl",
            "GetBucketCORS",
            "GetBucketLocation",
            "GetBucketLogging",
            "GetBucketObjectLockConfiguration",
            "GetBucketPolicy",
            "GetBucketRequestPayment",
            "GetBucketTagging",
            "GetBucketVersioning",
            "GetBucketWebsite",
            "GetEncryptionConfiguration",
            "GetLifecycleConfiguration",
            "GetReplicationConfiguration",
            "ListBucket",
            "ListBucketVersions",
            "ListTagsForResource",
            "PutBucketTagging",
            "TagResource",
            "UntagResource",
        ),
        # emptied before it is deleted
        _objects("DeleteObject", "DeleteObjectVersion"),
    ),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": (
        _bucket("GetBucketPublicAccessBlock", "PutBucketPublicAccessBlock"),
    ),
    "aws:s3/bucketOwnershipControls:BucketOwnershipControls": (
        _bucket("GetBucketOwnershipControls", "PutBucketOwnershipControls"),
    ),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": (
        _bucket("GetEncryptionConfiguration", "PutEncryptionConfiguration"),
    ),
    "aws:s3/bucketVersioning:BucketVersioning": (_bucket("GetBucketVersioning", "PutBucketVersioning"),),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": (
        _bucket("GetLifecycleConfiguration", "PutLifecycleConfiguration"),
    ),
    "aws:s3/bucketPolicy:BucketPolicy": (_bucket("DeleteBucketPolicy", "GetBucketPolicy", "PutBucketPolicy"),),
    "aws:s3/bucketObjectv2:BucketObjectv2": (
        _objects("DeleteObject", "GetObject", "GetObjectTagging", "PutObject", "PutObjectTagging"),
        _bucket("ListBucket"),
    ),
    "aws:efs/fileSystem:FileSystem": (
        Rule(Kind.CREATE_FILES, ("elasticfilesystem:CreateFileSystem",)),
        named(Kind.TAG_FILES, "elasticfilesystem", ("file-system/*",), "TagResource"),
        named(
            Kind.CHANGE,
            "elasticfilesystem",
            ("access-point/*", "file-system/*"),
            "DeleteFileSystem",
            "DescribeBackupPolicy",
            "DescribeFileSystems",
            "DescribeLifecycleConfiguration",
            "DescribeReplicationConfigurations",
            "ListTagsForResource",
            "PutLifecycleConfiguration",
            "TagResource",
            "UntagResource",
            "UpdateFileSystem",
        ),
    ),
    "aws:efs/mountTarget:MountTarget": (
        named(
            Kind.CHANGE,
            "elasticfilesystem",
            ("file-system/*",),
            "CreateMountTarget",
            "DeleteMountTarget",
            "DescribeMountTargetSecurityGroups",
            "DescribeMountTargets",
            "ModifyMountTargetSecurityGroups",
        ),
        EFS_INTERFACES,
        stand_in("subnet", "CreateNetworkInterface"),
        change("security-group", "CreateNetworkInterface", "ModifyNetworkInterfaceAttribute"),
        look("ec2", "DescribeNetworkInterfaces", "DescribeSubnets", "DescribeVpcs"),
    ),
    "aws:efs/accessPoint:AccessPoint": (
        named(
            Kind.CHANGE,
            "elasticfilesystem",
            ("access-point/*", "file-system/*"),
            "CreateAccessPoint",
            "DeleteAccessPoint",
            "DescribeAccessPoints",
            "TagResource",
            "UntagResource",
        ),
        named(Kind.TAG_FILES, "elasticfilesystem", ("access-point/*",), "TagResource"),
    ),
    "aws:efs/fileSystemPolicy:FileSystemPolicy": (
        named(
            Kind.CHANGE,
            "elasticfilesystem",
            ("file-system/*",),
            "DeleteFileSystemPolicy",
            "DescribeFileSystemPolicy",
            "PutFileSystemPolicy",
        ),
    ),
}


def _secret(*verbs: str) -> Rule:
    return named(Kind.SECRETS, "secretsmanager", ("secret:{own}",), *verbs)


SECRETS: dict[str, tuple[Rule, ...]] = {
    "aws:secretsmanager/secret:Secret": (
        _secret(
            "CreateSecret",
            "DeleteSecret",
            "DescribeSecret",
            "GetResourcePolicy",
            "TagResource",
            "UntagResource",
            "UpdateSecret",
        ),
    ),
    "aws:secretsmanager/secretVersion:SecretVersion": (
        _secret("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"),
    ),
}

BUDGETS: dict[str, tuple[Rule, ...]] = {
    "aws:budgets/budget:Budget": (
        elsewhere(
            Kind.BUDGET,
            "budgets",
            ("arn:{partition}:budgets::*:budget/{own}",),
            "ListTagsForResource",
            "ModifyBudget",
            "TagResource",
            "UntagResource",
            "ViewBudget",
        ),
    ),
}


def _queue(*verbs: str) -> Rule:
    return named(Kind.QUEUE, "sqs", ("{own}",), *verbs)


def _event_rule(*verbs: str) -> Rule:
    return named(Kind.QUEUE, "events", ("rule/{own}",), *verbs)


INTERRUPTIONS: dict[str, tuple[Rule, ...]] = {
    "aws:sqs/queue:Queue": (
        _queue(
            "CreateQueue",
            "DeleteQueue",
            "GetQueueAttributes",
            "GetQueueUrl",
            "ListQueueTags",
            "SetQueueAttributes",
            "TagQueue",
            "UntagQueue",
        ),
    ),
    "aws:sqs/queuePolicy:QueuePolicy": (_queue("GetQueueAttributes", "SetQueueAttributes"),),
    "aws:cloudwatch/eventRule:EventRule": (
        _event_rule("DeleteRule", "DescribeRule", "ListTagsForResource", "PutRule", "TagResource", "UntagResource"),
    ),
    "aws:cloudwatch/eventTarget:EventTarget": (_event_rule("ListTargetsByRule", "PutTargets", "RemoveTargets"),),
}
