"""Say what a rule of a policy is: actions of one kind on some resources."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

ROLE = "arn:{partition}:iam::*:role/{own}"


class Kind(StrEnum):
    """Why something is granted: it is the statement's Sid, and decides its condition. All rules of a kind share one."""

    LOOK = "LookAround"
    CREATE = "CreateWithTheEventsTag"
    TAG = "TagWhatIsBeingCreated"
    CHANGE = "ChangeWhatHasTheEventsTag"
    STAND_IN = "UseTheGivenNetwork"
    OPEN_WITH = "UseTheGivenKeyPair"
    GUARDED_BY = "UseTheGivenSecurityGroup"
    LAUNCH = "LaunchFromAnyImage"
    CLOSE = "CloseTheDefaultGroupOfTheVpc"
    CLAIM = "TagTheDefaultGroupOfTheVpc"
    PRIVATE_DNS = "NameEndpointsInTheVpc"
    MOUNT = "AttachMountTargets"
    CREATE_FILES = "CreateFileSystemWithTheEventsTag"
    TAG_FILES = "TagFilesThatAreBeingCreated"
    TUNNEL = "TunnelToPort22OfTheEvent"
    ROLES = "RolesOfTheEvent"
    MAKE_ROLES = "MakeRolesOfTheEvent"
    AWS_POLICIES = "AttachTheseAwsPolicies"
    HAND_OVER = "PassRolesOfTheEvent"
    LINKED = "MakeServiceLinkedRoles"
    LINKED_THERE = "LookForServiceLinkedRoles"
    SNAPSHOTS = "SnapshotsOfImageBuilder"
    LOOK_AT = "LookAtAnyImage"
    MARK = "MarkTheGivenImage"
    KEY = "UseTheImagesKeyThroughEc2"
    KEY_THERE = "LookForTheImagesKey"
    ELSEWHERE = "LookForWhatBuildsRead"
    IMAGES = "ImageBuilderOfTheEvent"
    AMAZON_IMAGES = "ReadImagesAndWorkflowsOfAmazon"
    PARAMETERS = "ReadImageParameters"
    LOGS = "LogsOfTheEvent"
    BUCKET = "BucketOfTheEvent"
    SECRETS = "SecretsOfTheEvent"
    BUDGET = "BudgetOfTheEvent"
    QUEUE = "InterruptionsOfTheEvent"
    QUOTAS = "ReadQuotas"


@dataclass(frozen=True, slots=True)
class Rule:
    """Actions, by the names IAM has for them, on ARNs with `{partition}`, `{region}`, `{event}`, `{own}`, `{bucket}`.

    `{own}` stands for every name the program gives for the event. No resource at all means `*`. `values` is what the
    condition of its kind allows, where that is for the rule to say.
    """

    kind: Kind
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


def look(service: str, *verbs: str) -> Rule:
    """Read what knows no resource to be restricted to."""
    return Rule(Kind.LOOK, _actions(service, verbs))


def create(types: str, *verbs: str) -> Rule:
    """Make resources of EC2, which must get the event's tag; `types` are divided by blanks."""
    return Rule(Kind.CREATE, _actions("ec2", verbs), _ec2(types))


def change(types: str, *verbs: str) -> Rule:
    """Change, use or delete resources of EC2 that have the event's tag."""
    return Rule(Kind.CHANGE, _actions("ec2", verbs), _ec2(types))


def stand_in(types: str, *verbs: str) -> Rule:
    """Use a VPC or its subnets; which ones is for the event's network to say."""
    return Rule(Kind.STAND_IN, _actions("ec2", verbs), _ec2(types))


def open_with(*verbs: str) -> Rule:
    """Use a key pair; which one is for the event to say."""
    return Rule(Kind.OPEN_WITH, _actions("ec2", verbs), _ec2("key-pair"))


def launch(types: str, *verbs: str) -> Rule:
    """Use what a launch needs and nobody could have tagged before: any image, new disks and interfaces."""
    return Rule(Kind.LAUNCH, _actions("ec2", verbs), _ec2(types))


def named(kind: Kind, service: str, resources: tuple[str, ...], *verbs: str) -> Rule:
    """Do with resources that are told by their name; `resources` is what follows the account in the ARN."""
    where = "arn:{partition}:" + service + ":{region}:*:"
    return Rule(kind, _actions(service, verbs), tuple(where + one for one in resources))


def elsewhere(kind: Kind, service: str, arns: tuple[str, ...], *verbs: str) -> Rule:
    """Do with resources whose ARN has another form."""
    return Rule(kind, _actions(service, verbs), arns)


def pass_role(service: str) -> Rule:
    """Hand roles of the event to one service of AWS, and to no other."""
    return Rule(Kind.HAND_OVER, ("iam:PassRole",), (ROLE,), (service,))


def _actions(service: str, verbs: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{service}:{verb}" for verb in verbs)


def _ec2(types: str) -> tuple[str, ...]:
    # images and snapshots are the only ones whose ARNs leave the account out
    return tuple(
        "arn:{partition}:ec2:{region}:" + ("" if name in ("image", "snapshot") else "*") + f":{name}/*"
        for name in types.split()
    )
