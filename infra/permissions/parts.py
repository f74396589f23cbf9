"""Put together what each kind of work on an event takes: deploying it, building its images, running submissions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

from contracts.event import ClusterKind, EventConfig
from contracts.infra import Access
from infra import image_sources, naming, policies
from infra.permissions import documents, features
from infra.permissions.ec2_rules import FLEET
from infra.permissions.rules import Kind, Rule, change, create, elsewhere, launch, look, named, pass_role, stand_in
from infra.permissions.scope import Scope
from infra.permissions.table import DEPLOYING
from infra.preflight import roles
from infra.preflight.machines import uses_spot
from infra.preflight.roles import ServiceRole


class Part(StrEnum):
    """A kind of work, which one person may do and another may not."""

    DEPLOY = "deploy"
    BUILD = "build"
    RUN = "run"


_SWEEP = (
    look("imagebuilder", "ListComponents", "ListImageRecipes"),
    named(Kind.IMAGES, "imagebuilder", ("component/{own}",), "DeleteComponent", "ListComponentBuildVersions"),
    named(Kind.IMAGES, "imagebuilder", ("image-recipe/{own}",), "DeleteImageRecipe"),
)
"""What destroy does itself: superseded versions of recipe and components are not Pulumi's any more."""

_BUILD = (
    named(
        Kind.IMAGES,
        "imagebuilder",
        ("image-pipeline/{own}",),
        "GetImagePipeline",
        "ListImagePipelineImages",
        "StartImagePipelineExecution",
    ),
    named(
        Kind.IMAGES,
        "imagebuilder",
        ("image/{own}",),
        "CancelImageCreation",
        "GetImage",
        "ListWorkflowExecutions",
        "TagResource",
    ),
    # an execution has no name of the event's; its steps are read alone
    named(Kind.IMAGES, "imagebuilder", ("workflow-execution/*",), "ListWorkflowStepExecutions"),
    named(Kind.LOGS, "logs", ("log-group:/aws/imagebuilder/rampart-{event}-*:*",), "GetLogEvents"),
    look("ec2", "DescribeImages"),
)

_IMAGE_ARN, _SNAPSHOT_ARN = "arn:{partition}:ec2:{region}::image/*", "arn:{partition}:ec2:{region}::snapshot/*"
_LOOK_AT_IMAGES = (
    look("ec2", "DescribeFleets", "DescribeImages", "DescribeLaunchTemplateVersions", "DescribeSpotFleetRequests"),
    elsewhere(Kind.LOOK_AT, "ec2", (_IMAGE_ARN,), "DescribeImageAttribute"),
    elsewhere(Kind.LOOK_AT, "ec2", (_SNAPSHOT_ARN,), "DescribeSnapshotAttribute"),
)
_BAKE = (
    # the builder is launched like a host, but with the build profile
    create("image snapshot", "CopyImage", "CreateImage"),
    change("instance", "CreateImage"),
    pass_role("{ec2}"),
    look("ec2", "DescribeSnapshots"),
    Rule(Kind.PARAMETERS, ("ssm:GetParameter",)),
)
_RETIRE = (
    change("image", "DeregisterImage"),
    change("snapshot", "DeleteSnapshot"),
    # Image Builder's have no tag of the event; one that an image is made of cannot be deleted
    elsewhere(Kind.SNAPSHOTS, "ec2", (_SNAPSHOT_ARN,), "CreateTags", "DeleteSnapshot"),
)
_KEY = ("CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo")
"""What launching from an encrypted image takes, and encrypting one; EC2 asks for it in our name."""

_PREFLIGHT = (
    look(
        "ec2",
        "DescribeAvailabilityZones",
        "DescribeImages",
        "DescribeInstanceTypeOfferings",
        "DescribeInstanceTypes",
        "DescribeKeyPairs",
        "DescribeRegions",
        "DescribeRouteTables",
        "DescribeSpotPriceHistory",
        "DescribeSubnets",
        "DescribeVpcs",
    ),
    look("pricing", "GetProducts"),
    named(Kind.QUOTAS, "servicequotas", ("ec2/*",), "GetServiceQuota"),
    elsewhere(Kind.LINKED_THERE, "iam", ("arn:{partition}:iam::*:role/aws-service-role/*",), "GetRole"),
    Rule(Kind.PARAMETERS, ("ssm:GetParameter",)),
)

# interface endpoints answer by the service's own name in the VPC; the zone is Amazon's
_PRIVATE_DNS = elsewhere(
    Kind.PRIVATE_DNS, "route53", ("arn:{partition}:route53:::hostedzone/*",), "AssociateVPCWithHostedZone"
)

_REAP = (look("ec2", "DescribeInstances"), change("instance", "TerminateInstances"))

_LAUNCH = (
    *FLEET,
    # an instant fleet is no resource that stays, and has no tag
    launch("fleet", "CreateFleet"),
    change("launch-template", "CreateLaunchTemplateVersion", "DeleteLaunchTemplateVersions"),
    look(
        "ec2",
        "DescribeKeyPairs",
        "DescribeLaunchTemplateVersions",
        "DescribeSecurityGroups",
        "DescribeSpotInstanceRequests",
    ),
)

_FLEETS = (
    change("fleet", "DescribeFleetInstances"),
    change("fleet launch-template", "ModifyFleet"),
    stand_in("subnet", "ModifyFleet"),
    look("ec2", "DescribeFleets"),
)
_LEGACY_FLEETS = (
    change("spot-fleet-request", "DescribeSpotFleetInstances"),
    change("spot-fleet-request launch-template", "ModifySpotFleetRequest"),
    stand_in("subnet", "ModifySpotFleetRequest"),
    look("ec2", "DescribeSpotFleetRequests"),
)
_CONSOLE = change("instance", "GetConsoleOutput")
"""Machines that make their own host keys, the jump host too, tell them there."""
_NOTICES = (named(Kind.QUEUE, "sqs", ("{own}",), "DeleteMessage", "GetQueueAttributes", "ReceiveMessage"),)
_TUNNELS = (
    elsewhere(
        Kind.TUNNEL,
        "ec2-instance-connect",
        ("arn:{partition}:ec2:{region}:*:instance-connect-endpoint/*",),
        "OpenTunnel",
    ),
    look("ec2", "DescribeInstanceConnectEndpoints"),
)


def policies_for(event: EventConfig) -> dict[str, dict[str, Any]]:
    """The documents by name: `deploy`, `build`, `run`; numbered where one is longer than IAM takes. Raises KitInvalid.

    Each holds in the event's region, for what has its names or its tag, and for what its options need.
    """
    rules: Mapping[Part, tuple[Rule, ...]] = {
        Part.DEPLOY: tuple(_deploy(event)),
        Part.BUILD: tuple(_build(event)),
        Part.RUN: tuple(_run(event)),
    }
    scope = Scope(event)
    return {name: each for part, granted in rules.items() for name, each in documents.named(part, granted, scope)}


def _deploy(event: EventConfig) -> Iterator[Rule]:
    infra = event.infra
    tokens = features.tokens_of(event)
    made = [rule for token in tokens for rule in DEPLOYING[token]]
    linked = [*roles.needed(event)]
    if infra.access is Access.EICE:
        linked.append(ServiceRole("AWSServiceRoleForEc2InstanceConnect", "ec2-instance-connect.amazonaws.com"))
    if infra.access is Access.GATEWAY:
        yield _CONSOLE
    if infra.dask is not None and not infra.dask.insecure:
        # `up` pushes certificates to the machines that are there
        yield from (_CONSOLE, *_way_in(event))
    yield from _key(event)
    if infra.image.kms_key is not None:
        yield elsewhere(Kind.KEY_THERE, "kms", (infra.image.kms_key,), "DescribeKey")
    for address in image_sources.addresses_elsewhere(event):
        yield _listing(address)
    if infra.storage.efs:
        linked.append(ServiceRole("AWSServiceRoleForAmazonElasticFileSystem", "elasticfilesystem.amazonaws.com"))
    yield from (*made, *_PREFLIGHT, *_SWEEP, look("ec2", "DescribeInstances"))
    yield from _tagging(made, again=True)
    yield _linked(linked)
    yield _aws_policies(event)
    if infra.network.endpoints:
        yield _PRIVATE_DNS
    if infra.budget is not None:
        yield look("ce", "ListCostAllocationTags")
    if infra.image.parent_image.startswith("arn:"):
        # any version: x.x.x stands for the newest
        image = infra.image.parent_image.rpartition("/")[0]
        yield elsewhere(Kind.AMAZON_IMAGES, "imagebuilder", (f"{image}/*",), "GetImage")


def _build(event: EventConfig) -> Iterator[Rule]:
    """Build by the pipeline or by hand, launch hosts to look at an image, mark, share, retire images."""
    infra, named_image = event.infra, event.worker.ami_image_id
    launches = (*_LAUNCH, *_BAKE)
    yield from (*_BUILD, *launches, *_RETIRE, *_LOOK_AT_IMAGES, *_REAP)
    yield from _tagging(launches, again=False)
    yield change("image snapshot", "CreateTags", "DeleteTags")
    if infra.image.share_with:
        yield change("image", "ModifyImageAttribute")
    if named_image or event.worker.ami_image_name:
        image = _IMAGE_ARN.removesuffix("*") + (named_image or "*")
        yield elsewhere(Kind.MARK, "ec2", (image, _SNAPSHOT_ARN), "CreateTags", "DeleteTags")
    yield _linked((roles.IMAGE_BUILDER, roles.FLEET))
    yield from (*_guard(event), *_key(event), *_way_in(event))


def _run(event: EventConfig) -> Iterator[Rule]:
    infra = event.infra
    yield from _REAP
    if event.worker.worker_type == "aws" or event.worker.cluster is ClusterKind.EC2:
        yield from (*_LAUNCH, *_LOOK_AT_IMAGES, *_tagging(_LAUNCH, again=False))
        yield _linked([role for role in roles.needed(event) if role is not roles.IMAGE_BUILDER])
        yield from (*_guard(event), *_key(event))
    if infra.fleet is not None or infra.dask is not None:
        yield _CONSOLE
    yield from _way_in(event)
    if infra.fleet is not None or infra.dask is not None:
        is_legacy = infra.fleet is not None and infra.fleet.kind == "spot-fleet-request"
        yield from _LEGACY_FLEETS if is_legacy else ()
        yield from _FLEETS if infra.dask is not None or not is_legacy else ()
    if uses_spot(event):
        yield from _NOTICES


def _way_in(event: EventConfig) -> Iterator[Rule]:
    """What reaching machines takes, besides the network."""
    if event.infra.access is Access.GATEWAY:
        yield _CONSOLE
    if event.infra.access is Access.EICE:
        yield from _TUNNELS


def _guard(event: EventConfig) -> Iterator[Rule]:
    """Launch behind the security group that the event names."""
    group = event.worker.security_group
    if group:
        which = group if group.startswith("sg-") else "*"
        yield named(Kind.GUARDED_BY, "ec2", (f"security-group/{which}",), "RunInstances")


def _key(event: EventConfig) -> Iterator[Rule]:
    """Launch from an image that a key of the event's own encrypts."""
    if event.infra.image.kms_key is not None:
        yield elsewhere(Kind.KEY, "kms", (event.infra.image.kms_key,), *_KEY)


def _listing(address: str) -> Rule:
    """Look whether there is something at an `s3://` address."""
    bucket, _, key = address.removeprefix("s3://").partition("/")
    return Rule(Kind.ELSEWHERE, ("s3:ListBucket",), (f"arn:{{partition}}:s3:::{bucket}",), (key,))


def _tagging(rules: Sequence[Rule], *, again: bool) -> Iterator[Rule]:
    """Give tags to what is just being created, and with `again` other ones to what has the event's."""
    created = tuple(one for rule in rules if rule.kind is Kind.CREATE for one in rule.resources)
    launched = tuple(one for rule in rules if rule.kind is Kind.LAUNCH for one in rule.resources)
    # images are launched from, but not by that made
    taggable = tuple(dict.fromkeys((*created, *(one for one in launched if ":image/" not in one))))
    yield Rule(Kind.TAG, ("ec2:CreateTags",), taggable)
    if again:
        yield Rule(Kind.CHANGE, ("ec2:CreateTags", "ec2:DeleteTags"), taggable)


def _linked(wanted: Sequence[ServiceRole]) -> Rule:
    """Let AWS make the roles of its own services, if they are not there yet."""
    arns = tuple(f"arn:{{partition}}:iam::*:role/aws-service-role/{role.service}/{role.name}" for role in wanted)
    services = tuple(role.service for role in wanted)
    return Rule(Kind.LINKED, ("iam:CreateServiceLinkedRole",), arns, services)


def _aws_policies(event: EventConfig) -> Rule:
    """Attach to roles of the event what AWS wrote for its own services, and nothing else."""
    fleet = event.infra.fleet
    is_legacy = fleet is not None and fleet.kind == "spot-fleet-request"
    names = (*policies.BUILD_POLICIES, *((policies.SPOT_FLEET_POLICY,) if is_legacy else ()))
    arns = tuple(policies.aws_managed(naming.partition(event.region), name) for name in names)
    return Rule(Kind.AWS_POLICIES, (), (), arns)
