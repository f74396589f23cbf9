"""The policies that a person needs grant what Rampart does, and no more than AWS lets them restrict."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest

import clients.aws
from contracts.event import ClusterKind, EventConfig
from infra import naming, program
from infra.permissions import LONGEST, policies_for
from infra.permissions.documents import length
from infra.permissions.features import tokens_of
from infra.permissions.rules import Kind
from infra.permissions.scope import Scope
from infra.permissions.table import DEPLOYING, UNSCOPED
from localcloud.deployer.lookups import LOOKUPS
from localcloud.deployer.table import HANDLERS
from tests.unit.infra.events import EXAMPLES, OPTIONS, event_with, example
from tests.unit.infra.permissions import authorization
from tests.unit.infra.recording import Recording, record

IMAGE = {"aws:ec2/getAmiIds:getAmiIds": {"ids": ["ami-0abc1234def567890"]}}
NO_PERMISSION = {"sts:GetCallerIdentity"}
"""Whoever has credentials may ask."""
KEY = "arn:aws:kms:eu-west-3:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
IAM_ONLY = {
    "budgets:ModifyBudget": "CreateBudget, UpdateBudget, DeleteBudget",
    "budgets:ViewBudget": "DescribeBudget",
    "ec2-instance-connect:OpenTunnel": "a WebSocket, no operation",
    "iam:PassRole": "handing a role over is no call",
    "kms:ReEncryptFrom": "ReEncrypt, of what the key encrypted",
    "kms:ReEncryptTo": "ReEncrypt, by the key",
    "s3:DeleteObjectVersion": "DeleteObject with a version",
    "s3:GetAccelerateConfiguration": "GetBucketAccelerateConfiguration",
    "s3:GetBucketCORS": "GetBucketCors",
    "s3:GetBucketObjectLockConfiguration": "GetObjectLockConfiguration",
    "s3:GetBucketPublicAccessBlock": "GetPublicAccessBlock",
    "s3:GetEncryptionConfiguration": "GetBucketEncryption",
    "s3:GetLifecycleConfiguration": "GetBucketLifecycleConfiguration",
    "s3:GetReplicationConfiguration": "GetBucketReplication",
    "s3:ListBucket": "HeadBucket, ListObjects",
    "s3:ListBucketVersions": "ListObjectVersions",
    "s3:ListTagsForResource": "of S3's control plane",
    "s3:PutBucketPublicAccessBlock": "PutPublicAccessBlock",
    "s3:PutEncryptionConfiguration": "PutBucketEncryption",
    "s3:PutLifecycleConfiguration": "PutBucketLifecycleConfiguration",
    "s3:TagResource": "of S3's control plane",
    "s3:UntagResource": "of S3's control plane",
}
"""IAM's own names, with the operations they stand for."""
SERVICES = {"servicequotas": "service-quotas", "elasticfilesystem": "efs"}
"""What botocore calls a service that IAM calls otherwise."""
EVENTS = (*EXAMPLES, *OPTIONS)

Policies = Callable[[str], dict[str, dict[str, Any]]]


@pytest.fixture(scope="module")
def event_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], EventConfig]:
    folder = tmp_path_factory.mktemp("deployment")

    @cache
    def event(name: str) -> EventConfig:
        return example(name, folder / name) if name in EXAMPLES else event_with(OPTIONS[name], folder / name)

    return event


@pytest.fixture(scope="module")
def policies(event_of: Callable[[str], EventConfig]) -> Policies:
    return cache(lambda name: policies_for(event_of(name)))


@pytest.fixture(scope="module")
def recorded(event_of: Callable[[str], EventConfig]) -> Callable[[str], Recording]:
    return cache(lambda name: record(lambda: program.build(event_of(name)), stack=event_of(name).name, answers=IMAGE))


def _statements(documents: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for document in documents.values():
        yield from document["Statement"]


def _of(documents: dict[str, dict[str, Any]], kind: Kind, part: str = "") -> list[dict[str, Any]]:
    chosen = {name: document for name, document in documents.items() if name.startswith(part)}
    return [statement for statement in _statements(chosen) if statement["Sid"] == kind]


def _actions(documents: dict[str, dict[str, Any]], part: str = "") -> set[str]:
    chosen = {name: document for name, document in documents.items() if name.startswith(part)}
    return {action for statement in _statements(chosen) for action in statement["Action"]}


@pytest.mark.parametrize("name", EVENTS)
def test_every_document_is_one_that_iam_takes(policies: Policies, name: str) -> None:
    documents = policies(name)
    assert {each.partition("-")[0] for each in documents} == {"deploy", "build", "run"}
    for document in documents.values():
        assert length(document) <= LONGEST
        assert document["Version"] == "2012-10-17"
        sids = [statement["Sid"] for statement in document["Statement"]]
        assert all(re.fullmatch(r"[A-Za-z0-9]+", sid) for sid in sids)
        assert len(set(sids)) == len(sids) > 0
        assert all(statement["Action"] and statement["Effect"] == "Allow" for statement in document["Statement"])
        resources = [arn for statement in document["Statement"] for arn in statement["Resource"]]
        assert [arn for arn in resources if "{" in arn] == []


@pytest.mark.parametrize("name", EVENTS)
def test_no_action_has_a_wildcard(policies: Policies, name: str) -> None:
    assert [action for action in _actions(policies(name)) if "*" in action] == []


@pytest.mark.parametrize("name", EVENTS)
def test_only_what_knows_no_resource_is_granted_on_all(policies: Policies, name: str) -> None:
    for statement in _statements(policies(name)):
        if statement["Resource"] == "*":
            unexplained = [one for one in statement["Action"] if not one.startswith(tuple(UNSCOPED))]
            assert unexplained == []
        else:
            assert "*" not in statement["Resource"]


def test_every_excuse_for_granting_on_all_is_true() -> None:
    known = {f"{service}:{verb}" for service, one in authorization.reference().items() for verb in one["actions"]}
    for beginning, reason in UNSCOPED.items():
        excused = [name for name in known if name.startswith(beginning)]
        assert excused, f"{beginning} ({reason}) is granted nowhere"


@pytest.mark.parametrize("name", EVENTS)
def test_what_is_granted_on_all_could_not_be_restricted(policies: Policies, name: str) -> None:
    for document in policies(name).values():
        for action, resources, _ in authorization.granted(document):
            if resources == "*":
                assert authorization.action(action).required == [], action


@pytest.mark.parametrize("name", EVENTS)
def test_every_resource_an_action_needs_is_granted_under_conditions_it_knows(policies: Policies, name: str) -> None:
    for part in ("deploy", "build", "run"):
        grants = [
            (action, resources, keys)
            for document_name, document in policies(name).items()
            if document_name.startswith(part)
            for action, resources, keys in authorization.granted(document)
        ]
        for action in {action for action, _, _ in grants}:
            known = authorization.action(action)
            reached = {
                kind
                for granted, resources, keys in grants
                if granted == action and resources != "*"
                for kind in {known.type_of(arn) for arn in resources} - {None}
                if kind is not None and keys <= known.keys_on(kind)
            }
            assert set(known.required) <= reached, f"{part}: {action} is not granted on what it needs"


@pytest.mark.parametrize("name", EVENTS)
def test_no_grant_is_for_nothing(policies: Policies, name: str) -> None:
    """An action beside resources it does not know grants nothing: its author meant something else."""
    for document in policies(name).values():
        for action, resources, _ in authorization.granted(document):
            if resources != "*":
                known = authorization.action(action)
                assert any(known.type_of(arn) for arn in resources), f"{action} on {resources}"


def test_every_action_is_an_operation_of_its_service_or_a_name_that_iam_alone_knows(policies: Policies) -> None:
    session = botocore.session.get_session()
    operations: dict[str, set[str]] = {}
    actions = {action for name in EVENTS for action in _actions(policies(name))}
    for action in actions - set(IAM_ONLY):
        service, _, verb = action.partition(":")
        if service not in operations:
            model = session.get_service_model(SERVICES.get(service, service))
            operations[service] = set(model.operation_names)
        assert verb in operations[service], action
    assert set(IAM_ONLY) <= actions


def test_every_type_the_local_cloud_can_make_has_its_actions() -> None:
    assert {*HANDLERS, *LOOKUPS} - set(DEPLOYING) == set()


@pytest.mark.parametrize("name", EVENTS)
def test_whatever_the_program_declares_is_granted(
    event_of: Callable[[str], EventConfig], recorded: Callable[[str], Recording], name: str
) -> None:
    recording = recorded(name)
    declared = {each.type for each in recording.resources()} | {lookup.token for lookup in recording.lookups}
    assert declared - set(tokens_of(event_of(name))) == set()


@pytest.mark.parametrize("name", ["iris", "default-network", "given-network"])
def test_what_an_event_does_not_ask_for_is_not_granted(policies: Policies, name: str) -> None:
    services = {action.partition(":")[0] for action in _actions(policies(name), "deploy")}
    unasked = {"s3", "elasticfilesystem", "secretsmanager", "budgets", "ce", "sqs", "events", "route53"}
    assert services.isdisjoint(unasked)


def test_only_an_own_network_is_made(policies: Policies) -> None:
    for name in ("default-network", "given-network"):
        assert _actions(policies(name)).isdisjoint({"ec2:CreateVpc", "ec2:CreateSubnet", "ec2:CreateInternetGateway"})
        assert _of(policies(name), Kind.CLOSE) == []


def test_a_given_network_is_used_by_its_ids(policies: Policies) -> None:
    (statement,) = _of(policies("given-network"), Kind.STAND_IN, "run")
    prefix = "arn:aws:ec2:eu-west-3:*:subnet/subnet-0abc1234def56789"
    assert statement["Resource"] == [f"{prefix}{last}" for last in "123"]
    (statement,) = _of(policies("given-network"), Kind.STAND_IN, "deploy")
    assert "arn:aws:ec2:eu-west-3:*:vpc/vpc-0abc1234def567890" in statement["Resource"]


def test_the_own_network_is_used_by_its_tag(policies: Policies) -> None:
    assert _of(policies("iris"), Kind.STAND_IN) == []
    (statement,) = _of(policies("iris"), Kind.CHANGE, "run")
    assert "arn:aws:ec2:eu-west-3:*:subnet/*" in statement["Resource"]


@pytest.mark.parametrize("name", EVENTS)
def test_what_is_made_gets_the_events_tag_and_only_that_is_changed(policies: Policies, name: str) -> None:
    own = policies(name)
    event = name if name in EXAMPLES else "iris"
    for statement in [*_of(own, Kind.CREATE), *_of(own, Kind.CREATE_FILES), *_of(own, Kind.TAG)]:
        assert statement["Condition"]["StringEquals"]["aws:RequestTag/rampart:stack"] == event
    for statement in _of(own, Kind.CHANGE):
        assert statement["Condition"] == {"StringEquals": {"aws:ResourceTag/rampart:stack": event}}


def test_tags_are_given_to_what_is_being_created_alone(policies: Policies) -> None:
    (statement,) = _of(policies("iris"), Kind.TAG, "run")
    assert statement["Condition"]["StringEquals"]["ec2:CreateAction"] == ["CreateFleet", "RunInstances"]
    kinds = [arn.rpartition(":")[2] for arn in statement["Resource"]]
    assert kinds == ["fleet/*", "instance/*", "network-interface/*", "volume/*"]


@pytest.mark.parametrize("name", EVENTS)
def test_roles_are_passed_to_the_services_that_take_them_alone(
    policies: Policies, recorded: Callable[[str], Recording], name: str
) -> None:
    passed = {
        service
        for statement in _of(policies(name), Kind.HAND_OVER)
        for service in statement["Condition"]["StringEquals"]["iam:PassedToService"]
    }
    trusted = {
        statement["Principal"]["Service"]
        for role in recorded(name).of("iam/role:Role")
        for statement in json.loads(role.inputs["assumeRolePolicy"])["Statement"]
    }
    assert trusted == passed
    for statement in _of(policies(name), Kind.HAND_OVER):
        assert statement["Action"] == ["iam:PassRole"]
        assert statement["Resource"] == [f"arn:aws:iam::*:role/rampart-{name if name in EXAMPLES else 'iris'}-*"]


@pytest.mark.parametrize("name", EVENTS)
def test_no_policy_of_aws_is_attached_but_those_the_program_names(
    policies: Policies, recorded: Callable[[str], Recording], name: str
) -> None:
    (statement,) = _of(policies(name), Kind.AWS_POLICIES)
    attached = {each.inputs["policyArn"] for each in recorded(name).of(":RolePolicyAttachment")}
    assert set(statement["Condition"]["ArnEquals"]["iam:PolicyARN"]) == attached


def test_nobody_makes_a_role_without_the_boundary_that_the_event_demands(policies: Policies) -> None:
    boundary = "arn:aws:iam::111122223333:policy/boundary"
    (made,) = _of(policies("bounded"), Kind.MAKE_ROLES)
    (attached,) = _of(policies("bounded"), Kind.AWS_POLICIES)
    assert made["Condition"] == {"ArnEquals": {"iam:PermissionsBoundary": boundary}}
    assert attached["Condition"]["ArnEquals"]["iam:PermissionsBoundary"] == boundary
    bounded = {action for statement in (made, attached) for action in statement["Action"]}
    assert bounded >= {"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"}
    assert "iam:DeleteRolePermissionsBoundary" not in _actions(policies("bounded"))


@pytest.mark.parametrize("name", EVENTS)
def test_service_linked_roles_are_made_for_the_named_services_alone(policies: Policies, name: str) -> None:
    for statement in _of(policies(name), Kind.LINKED):
        services = statement["Condition"]["StringEquals"]["iam:AWSServiceName"]
        assert statement["Action"] == ["iam:CreateServiceLinkedRole"]
        assert {arn.split("/")[2] for arn in statement["Resource"]} == set(services)


def test_who_runs_submissions_can_neither_deploy_nor_build(policies: Policies) -> None:
    for name in EVENTS:
        run = _actions(policies(name), "run")
        assert {action.partition(":")[0] for action in run} <= {"ec2", "ec2-instance-connect", "iam", "kms", "sqs"}
        assert run.isdisjoint({"ec2:CreateImage", "ec2:DeregisterImage", "ec2:DeleteSnapshot", "iam:PassRole"})
        assert {action for action in run if action.startswith("iam:")} <= {"iam:CreateServiceLinkedRole"}


def test_who_builds_makes_and_retires_images_of_the_event_alone(policies: Policies) -> None:
    build = policies("iris")
    (made,) = _of(build, Kind.CREATE, "build")
    (changed,) = _of(build, Kind.CHANGE, "build")
    (snapshots,) = _of(build, Kind.SNAPSHOTS, "build")
    granting = {action: statement["Sid"] for statement in _statements(build) for action in statement["Action"]}
    assert {"ec2:CreateImage", "ec2:CopyImage"} <= set(made["Action"])
    assert granting["ec2:DeregisterImage"] == Kind.CHANGE
    assert {"arn:aws:ec2:eu-west-3::image/*", "arn:aws:ec2:eu-west-3::snapshot/*"} <= set(changed["Resource"])
    assert snapshots["Condition"] == {"StringEquals": {"aws:ResourceTag/CreatedBy": "EC2 Image Builder"}}
    assert "ec2:ModifyImageAttribute" not in granting


def test_who_builds_launches_machines_with_the_build_profile_and_reaches_them_as_runs_do(policies: Policies) -> None:
    launching = {"ec2:RunInstances", "ec2:CreateFleet", "ec2:TerminateInstances", "ec2:CreateImage", "iam:PassRole"}
    for name in EVENTS:
        assert _actions(policies(name), "build") >= launching
    assert "ec2-instance-connect:OpenTunnel" in _actions(policies("private-eice"), "build")
    assert "ec2:GetConsoleOutput" in _actions(policies("private-gateway"), "build")


def test_an_image_is_shared_only_where_the_event_says_with_whom(policies: Policies) -> None:
    sharing = [name for name in EVENTS if "ec2:ModifyImageAttribute" in _actions(policies(name))]
    assert sharing == ["image-from-buckets"]


def test_the_images_key_is_used_through_ec2_alone_and_looked_at_before_the_first_deployment(policies: Policies) -> None:
    own = policies("image-from-buckets")
    for part in ("deploy", "build", "run"):
        (statement,) = _of(own, Kind.KEY, part)
        assert statement["Resource"] == [KEY]
        assert statement["Condition"] == {"StringEquals": {"kms:ViaService": "ec2.eu-west-3.amazonaws.com"}}
    (looked_at,) = _of(own, Kind.KEY_THERE)
    assert (looked_at["Action"], looked_at["Resource"]) == (["kms:DescribeKey"], [KEY])
    assert not any(action.startswith("kms:") for action in _actions(policies("iris")))


def test_what_builds_read_elsewhere_is_looked_for_at_its_address_alone(policies: Policies) -> None:
    (statement,) = _of(policies("image-from-buckets"), Kind.ELSEWHERE, "deploy")
    assert statement["Action"] == ["s3:ListBucket"]
    assert statement["Resource"] == ["arn:aws:s3:::challenges"]
    assert statement["Condition"] == {"StringLike": {"s3:prefix": ["iris-kit.tar.gz", "iris/private/"]}}


def test_an_image_of_somebody_elses_making_gets_tags_of_ours_alone(
    event_of: Callable[[str], EventConfig], policies: Policies
) -> None:
    event = event_of("nothing")
    named = {"ami_image_id": "ami-0abc1234def567890"}
    documents = policies_for(event.model_copy(update={"worker": event.worker.model_copy(update=named)}))
    (statement,) = _of(documents, Kind.MARK)
    assert statement["Resource"][0] == "arn:aws:ec2:eu-west-3::image/ami-0abc1234def567890"
    assert statement["Condition"] == {
        "Null": {"aws:ResourceTag/rampart:stack": "true"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["rampart:keep", "rampart:pinned-by", "rampart:status"]},
    }
    assert _of(policies("nothing"), Kind.MARK) == []


def test_an_event_that_launches_nothing_may_still_end_what_is_up(policies: Policies) -> None:
    assert _actions(policies("dask"), "run") >= {"ec2:DescribeInstances", "ec2:TerminateInstances"}
    assert "ec2:RunInstances" not in _actions(policies("dask"), "run")


def test_who_runs_a_loop_with_a_cluster_of_its_own_may_launch_it(event_of: Callable[[str], EventConfig]) -> None:
    event = event_of("dask")
    worker = event.worker.model_copy(update={"worker_type": "dask", "cluster": ClusterKind.EC2})

    actions = _actions(policies_for(event.model_copy(update={"worker": worker})), "run")

    assert actions >= {"ec2:RunInstances", "ec2:DescribeLaunchTemplateVersions", "ec2:TerminateInstances"}


def test_a_tunnel_leads_to_port_22_through_the_events_endpoint_alone(policies: Policies) -> None:
    (statement,) = _of(policies("private-eice"), Kind.TUNNEL, "run")
    assert statement["Condition"] == {
        "StringEquals": {"aws:ResourceTag/rampart:stack": "iris"},
        "NumericEquals": {"ec2-instance-connect:remotePort": "22"},
    }


def test_a_named_key_pair_and_security_group_are_used_by_their_names(event_of: Callable[[str], EventConfig]) -> None:
    event = event_of("nothing")
    own = {"key_name": "mine", "security_group": "sg-0abc1234def567890"}
    documents = policies_for(event.model_copy(update={"worker": event.worker.model_copy(update=own)}))
    for part in ("build", "run"):
        (opened,) = _of(documents, Kind.OPEN_WITH, part)
        (guarded,) = _of(documents, Kind.GUARDED_BY, part)
        assert opened["Resource"] == ["arn:aws:ec2:eu-west-3:*:key-pair/mine"]
        assert guarded["Resource"] == ["arn:aws:ec2:eu-west-3:*:security-group/sg-0abc1234def567890"]
    assert "ec2:ImportKeyPair" not in _actions(documents)


def test_parameters_are_read_by_their_names(event_of: Callable[[str], EventConfig], policies: Policies) -> None:
    statement, again = _of(policies("iris"), Kind.PARAMETERS)
    assert again == statement
    canonical = "arn:aws:ssm:eu-west-3:*:parameter/aws/service/canonical/ubuntu/server/24.04/"
    assert statement["Resource"] == [f"{canonical}stable/current/amd64/hvm/ebs-gp3/ami-id"]
    event = event_of("nothing")
    image, gateway = ({name: "ami-0abc1234def567890"} for name in ("parent_image", "image"))
    infra = event.infra.model_copy(
        update={
            "image": event.infra.image.model_copy(update=image),
            "gateway": event.infra.gateway.model_copy(update=gateway),
        }
    )
    assert _of(policies_for(event.model_copy(update={"infra": infra})), Kind.PARAMETERS) == []


def test_a_region_of_another_partition_has_its_own_arns(event_of: Callable[[str], EventConfig]) -> None:
    event = event_of("nothing")
    infra = event.infra.model_copy(update={"region": "cn-north-1"})
    documents = policies_for(event.model_copy(update={"infra": infra}))
    text = json.dumps(documents)
    assert "arn:aws:" not in text
    assert "arn:aws-cn:ec2:cn-north-1:*:vpc/*" in text
    assert "ec2.amazonaws.com.cn" in text


@pytest.mark.parametrize("length", [1, 20, 30, 44, 60])
def test_every_name_the_program_gives_is_matched_by_a_pattern(
    event_of: Callable[[str], EventConfig], length: int
) -> None:
    event = event_of("nothing")
    ramp = event.ramp.model_copy(update={"event_name": "e" * length})
    scope = Scope(event.model_copy(update={"ramp": ramp}))
    for purpose in ("key", "image-build-read-secrets", "retirement-scheduled", "ssh-from-203.0.113.128-25"):
        name = f"{naming.logical_name('e' * length, purpose)}-1a2b3c4"
        assert any(fnmatchcase(name, pattern) for pattern in scope.names), name
        assert not any(fnmatchcase(name.replace("eee", "efe"), pattern) for pattern in scope.names) or length < 3


def test_every_call_of_the_clients_is_granted(policies: Policies) -> None:
    session = botocore.session.get_session()
    services = ("ce", "ec2", "iam", "imagebuilder", "kms", "logs", "pricing", "service-quotas", "ssm", "sts")
    actions: dict[str, str] = {}
    for service in services:
        prefix = "servicequotas" if service == "service-quotas" else service
        for operation in session.get_service_model(service).operation_names:
            for spelling in (operation, botocore.xform_name(operation)):
                actions.setdefault(spelling, f"{prefix}:{operation}")
    called = {actions[word] for word in _words(Path(clients.aws.__file__).parent) if word in actions}
    granted = {action for name in EVENTS for action in _actions(policies(name))}
    assert called - granted == NO_PERMISSION


def _words(folder: Path) -> set[str]:
    """Everything that files name: attributes, and strings by which a method is looked up."""
    found: set[str] = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found
